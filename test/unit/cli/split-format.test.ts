import { expect, it } from 'vitest';
import { isExportFormat } from '../../../src/image/export/export-format.js';
import { isDiskFormat } from '../../../src/qemu-img/disk-format.js';
import { splitFormat } from '../../../src/cli/split-format.js';

it.each([
  [[], { output: 'table', disk: undefined, unknown: undefined }],
  [['json'], { output: 'json', disk: undefined, unknown: undefined }],
  [['box'], { output: 'table', disk: 'box', unknown: undefined }],
  [['json', 'box'], { output: 'json', disk: 'box', unknown: undefined }],
  [['qcow2', 'box'], { output: 'table', disk: 'box', unknown: undefined }],
  [['table', 'floppy'], { output: 'table', disk: undefined, unknown: 'floppy' }],
])('of %j each word has its meaning', (values, expected) => {
  expect(splitFormat<string>(values, isExportFormat)).toEqual(expected);
});

it('a box is no format of a disk that is imported', () => {
  expect(splitFormat(['box'], isDiskFormat).unknown).toBe('box');
});
