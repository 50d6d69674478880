import { mkdir, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';

import { commands, commonOptions } from '../../../src/cli/all-commands.js';
import { completeCommands, completeNames, readCompletion } from '../../../src/cli/completion.js';
import ours from '../../../src/image/catalogue/catalogue.json' with { type: 'json' };
import { exportFormats } from '../../../src/image/export/export-format.js';
import { diskFormats } from '../../../src/qemu-img/disk-format.js';
import { renderRecord } from '../../../src/host/record.js';
import type { Host } from '../../../src/instance/open-host.js';
import { sampleImage } from '../image/sample-image.js';
import { newHost, sampleInstance, storeInstance } from '../instance/sample-host.js';

async function hostWithAll(): Promise<Host> {
  const host = await newHost([sampleInstance(1, { displayName: 'web' }), sampleInstance(2)]);
  await storeInstance(host, 'instance-00000003', '{');
  const image = sampleImage();
  await mkdir(host.home.image(image.id).directory, { recursive: true });
  await writeFile(host.home.image(image.id).record, renderRecord(image));
  return host;
}

const images = ['fedora-17'];
/** What our catalogue has; a user's own is beside it. */
const catalogue = Object.keys(ours.images).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
const launchable = [...images, ...catalogue];
const flavors = ['m1.tiny', 'm1.small', 'm1.medium', 'm1.large', 'm1.xlarge'];
const templates = ['legacy', 'linux', 'windows'];
const instances = ['web', 'instance-00000001', 'instance-00000002', 'instance-00000003'];

const read = (typed: readonly string[]) => readCompletion(typed, commands, commonOptions);
const namesFor = (host: Host, typed: readonly string[]) => completeNames(host, read(typed));

describe('completeCommands', () => {
  it.each([
    ['behind options of their own', ['--home', '/x', '-q', 'la', ''], []],
    ['behind an option and its value', ['--home', '/x', 'image', ''], ['catalogue', 'import', 'export']],
    ['between options', ['image', '--format', 'json', ''], ['catalogue', 'import', 'export']],
    ['behind nothing', ['--trace', '/t', ''], ['list', 'image', 'delete']],
    ['not behind an image', ['fedora-17', ''], []],
  ])('offers commands %s', (_what, typed, some) => {
    const offered = completeCommands(commands, commonOptions, read(typed));
    if (some.length === 0) expect(offered).toEqual([]);
    else expect(offered).toEqual(expect.arrayContaining(some));
  });
});

describe('completeNames', () => {
  it.each([
    ['the first word', [''], launchable],
    ['the first word, begun', ['fed'], launchable],
    ['nothing typed at all', [], launchable],
    ['the image of run', ['run', ''], launchable],
    ['the image to prefetch', ['image', 'prefetch', ''], launchable],
    ['the image to update', ['image', 'update', ''], catalogue],
    ['the image of a command on images', ['image', 'show', ''], images],
    ['the image to rename', ['image', 'rename', 'fed'], images],
    ['an image by option', ['inspect', '--image', ''], images],
    ['the flavor of a command on flavors', ['flavor', 'remove', ''], flavors],
    ['a flavor by option', ['fedora-17', '--flavor', 'm1'], flavors],
    ['a template', ['template', 'show', ''], templates],
    ['a template by option', ['fedora-17', '--template', ''], templates],
    ['a way to run', ['fedora-17', '--virt-type', ''], ['auto', 'kvm', 'qemu']],
    ['an instance', ['show', ''], instances],
    ['one more instance', ['delete', 'web', ''], instances],
    ['a format to print', ['list', '--format', ''], ['table', 'json']],
    ['a format to import', ['image', 'import', '--disk-format', ''], [...diskFormats]],
    ['a format to export', ['image', 'export', 'x', '--format', ''], [...exportFormats, 'table', 'json']],
    ['the first word behind an option', ['--quiet', ''], launchable],
    ['an instance, when an option stands first', ['--home', '/x', 'delete', '--yes', ''], instances],
    ['an image, when an option stands between', ['image', '-q', 'show', ''], images],
    ['an instance behind an option', ['log', '--follow', ''], instances],
    ['an instance, behind options with values', ['ssh', '-l', 'me', '-i', '/key', ''], instances],
    ['the image, behind options with values', ['--network', 'default', '--key', '/k.pub', ''], launchable],
  ])('offers names for %s', async (_what, words, names) => {
    expect(await namesFor(await hostWithAll(), words)).toEqual(names);
  });

  it.each([
    ['an option', ['run', '--']],
    ['the value of an option that has no names', ['fedora-17', '--network', '']],
    ['the new name of an image', ['image', 'rename', 'fedora-17', '']],
    ['the file of an export', ['image', 'export', 'fedora-17', '']],
    ['a command of a group', ['image', '']],
    ['a file to import', ['image', 'import', '']],
    ['a command that takes no names', ['list', '']],
  ])('offers none for %s', async (_what, words) => {
    expect(await namesFor(await hostWithAll(), words)).toBeUndefined();
  });

  it("offers a user's own catalogue, also where an image has the name, and none that is damaged", async () => {
    const host = await hostWithAll();
    const entry = {
      ...{ title: 'Ours', places: ['https://mirror.example.org/'], checksums: 'SHA256SUMS' },
      ...{ file: 'build-{arch}.qcow2', architectures: { amd64: 'x86_64' } },
    };
    const write = (text: string) => writeFile(host.home.catalogueFile, text);
    await write(JSON.stringify({ images: { 'fedora-17': entry, 'build-1': entry } }));
    const names = await namesFor(host, ['']);
    expect(names?.filter((name) => name === 'build-1' || name === 'fedora-17').sort()).toEqual([
      'build-1',
      'fedora-17',
    ]);
    await write('{');
    expect(await namesFor(host, [''])).toEqual(images);
  });

  it('is empty on a home that was never used', async () => {
    const host = await newHost();
    expect(await namesFor(host, ['show', ''])).toEqual([]);
    expect(await namesFor(host, [''])).toEqual(catalogue);
  });
});
