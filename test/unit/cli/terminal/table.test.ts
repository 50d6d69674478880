import { describe, expect, it } from 'vitest';

import { displayWidth } from '../../../../src/cli/terminal/display-width.js';
import { renderDomblklist, renderNovaTable } from '../../../../src/cli/terminal/table.js';

const IMAGE_COLUMNS = ['ID', 'Name', 'Disk Format', 'Container Format', 'Size', 'Status'].map((title) => ({
  title,
}));

describe('renderNovaTable', () => {
  it("draws the document's image list, character by character", async () => {
    const rows = [
      ['1e6292f9-82bd-4cdb-969e-c863cb1c6692', 'fedora-17', 'qcow2', 'bare', '251985920', 'active'],
      ['acc4c853-9153-4e80-b3c8-e253451ae983', 'rhel63', 'qcow2', 'bare', '1074135040', 'active'],
    ];
    expect(renderNovaTable(IMAGE_COLUMNS, rows)).toBe(
      [
        '+--------------------------------------+-----------+-------------+------------------+------------+--------+',
        '| ID                                   | Name      | Disk Format | Container Format | Size       | Status |',
        '+--------------------------------------+-----------+-------------+------------------+------------+--------+',
        '| 1e6292f9-82bd-4cdb-969e-c863cb1c6692 | fedora-17 | qcow2       | bare             | 251985920  | active |',
        '| acc4c853-9153-4e80-b3c8-e253451ae983 | rhel63    | qcow2       | bare             | 1074135040 | active |',
        '+--------------------------------------+-----------+-------------+------------------+------------+--------+',
        '',
      ].join('\n'),
    );
  });

  it('draws the header alone when there are no rows', async () => {
    expect(renderNovaTable([{ title: 'ID' }, { title: 'Name' }], [])).toBe(
      '+----+------+\n| ID | Name |\n+----+------+\n',
    );
  });

  it('aligns sizes to the right, their title too', async () => {
    const columns = [{ title: 'Name' }, { title: 'Size', align: 'right' }] as const;
    const rows = [
      ['base', '740 MiB'],
      ['tiny', '2 GiB'],
    ];
    expect(renderNovaTable(columns, rows)).toBe(
      [
        '+------+---------+',
        '| Name |    Size |',
        '+------+---------+',
        '| base | 740 MiB |',
        '| tiny |   2 GiB |',
        '+------+---------+',
        '',
      ].join('\n'),
    );
  });

  it('keeps the box straight with wide characters, new emoji and marks', async () => {
    const names = ['日本語', '🦊', '🫠', 'ไทยที่', 'e\u0301', '\ue000$&', 'plain'];
    const table = renderNovaTable(
      [{ title: 'Name' }, { title: 'N' }],
      names.map((name, at) => [name, String(at)]),
    );
    expect(table).toBe(
      [
        '+--------+---+',
        '| Name   | N |',
        '+--------+---+',
        '| 日本語 | 0 |',
        '| 🦊     | 1 |',
        '| 🫠     | 2 |',
        '| ไทยที่   | 3 |',
        '| e\u0301      | 4 |',
        '| \ue000$&    | 5 |',
        '| plain  | 6 |',
        '+--------+---+',
        '',
      ].join('\n'),
    );
    expect(new Set(table.trimEnd().split('\n').map(displayWidth))).toEqual(new Set([14]));
  });

  it('shows hostile characters instead of obeying them, one line a row', async () => {
    const table = renderNovaTable([{ title: 'Name' }], [['a\x1b[2J\nb\u202e']]);
    expect(table).toContain('| a\\x1b[2J\\nb\\u202e |\n');
    expect(table.trimEnd().split('\n')).toHaveLength(5);
  });

  it('keeps cells of nothing, of spaces and without width in their places', async () => {
    const columns = ['A', 'B', 'C', 'D'].map((title) => ({ title }));
    expect(renderNovaTable(columns, [['', '  ', '\u0301', 'x']])).toContain('|   |    | \u0301  | x |\n');
  });
});

describe('renderDomblklist', () => {
  it('is what virsh prints in the document', () => {
    expect(
      renderDomblklist([{ target: 'vda', source: '/var/lib/nova/instances/instance-0000000c/disk' }]),
    ).toBe(
      [
        'Target     Source',
        '------------------------------------------------',
        'vda        /var/lib/nova/instances/instance-0000000c/disk',
        '',
        '',
      ].join('\n'),
    );
  });

  it('shows an empty drive as a dash, a long target with one space, and hostile paths escaped', () => {
    const devices = [{ target: 'hdc' }, { target: 'averylongone', source: '/a\n\x1bb' }];
    expect(renderDomblklist(devices).split('\n').slice(2)).toEqual([
      'hdc        -',
      'averylongone /a\\n\\x1bb',
      '',
      '',
    ]);
  });
});
