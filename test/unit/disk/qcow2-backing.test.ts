import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { readWrittenBacking } from '../../../src/disk/qcow2-backing.js';
import { newHome } from '../host/new-home.js';

interface HeaderParts {
  readonly version?: number;
  readonly backing?: string;
  readonly headerLength?: number;
  readonly extensions?: readonly {
    readonly type: number;
    readonly content: string;
    readonly length?: number;
  }[];
  /** Lies. */
  readonly nameOffset?: bigint;
  readonly nameLength?: number;
}

const backingFormat = 0xe2792aca;
const features = 0x6803f857;

/** A header of docs/interop/qcow2.rst: fields, extensions, then the name. */
function header(parts: HeaderParts): Buffer {
  const { version = 3, backing = '', extensions = [] } = parts;
  const headerLength = version === 2 ? 72 : 104;
  const content = Buffer.alloc(4096);
  content.writeUInt32BE(0x514649fb, 0);
  content.writeUInt32BE(version, 4);
  content.writeUInt32BE(16, 20);
  if (version >= 3) content.writeUInt32BE(parts.headerLength ?? headerLength, 100);
  let position = headerLength;
  for (const { type, content: text, length } of extensions) {
    content.writeUInt32BE(type, position);
    content.writeUInt32BE(length ?? text.length, position + 4);
    content.write(text, position + 8);
    position += 8 + Math.ceil(text.length / 8) * 8;
  }
  position += 8;
  const name = Buffer.from(backing);
  content.writeBigUInt64BE(parts.nameOffset ?? (backing === '' ? 0n : BigInt(position)), 8);
  content.writeUInt32BE(parts.nameLength ?? name.length, 16);
  name.copy(content, position);
  return content;
}

async function overlayOf(content: Buffer): Promise<{ readonly path: string; readonly root: string }> {
  const { root } = await newHome();
  const path = join(root, 'i', 'disk');
  await mkdir(join(root, 'i'));
  await writeFile(path, content);
  return { path, root };
}

const raw = { type: backingFormat, content: 'raw' };

describe('invariant 6: what an overlay points at is read from its own header', () => {
  it.each([2, 3])('reads name and format in version %d', async (version) => {
    const { path } = await overlayOf(header({ version, backing: '/b/base', extensions: [raw] }));
    expect(await readWrittenBacking(path)).toEqual({ path: '/b/base', format: 'raw' });
  });

  it('finds the format behind other extensions, whatever their length', async () => {
    for (const content of ['', 'x', '1234567', '12345678', '123456789']) {
      const extensions = [
        { type: features, content },
        { type: backingFormat, content: 'qcow2' },
      ];
      const { path } = await overlayOf(header({ backing: '/b/base', extensions }));
      expect(await readWrittenBacking(path)).toEqual({ path: '/b/base', format: 'qcow2' });
    }
  });

  it('knows no format where none was written', async () => {
    for (const extensions of [[], [{ type: features, content: 'x' }], [{ type: 0, content: '' }, raw]]) {
      const { path } = await overlayOf(header({ backing: '/b/base', extensions }));
      expect(await readWrittenBacking(path)).toEqual({ path: '/b/base', format: undefined });
    }
  });

  it('reads a header that is longer than it knows', async () => {
    const content = header({ backing: '/b/base', headerLength: 112 });
    content.writeUInt32BE(backingFormat, 112);
    content.writeUInt32BE(3, 116);
    content.write('raw', 120);
    content.write('/b/base', 512);
    content.writeBigUInt64BE(512n, 8);
    const { path } = await overlayOf(content);
    expect(await readWrittenBacking(path)).toEqual({ path: '/b/base', format: 'raw' });
  });

  it.each([
    ['beside it', 'base', 'i/base'],
    ['above it', '../_base/06a0_20', '_base/06a0_20'],
    ['with a prefix', 'file:../b', 'b'],
    ['with a colon behind a slash', './a:b', 'i/a:b'],
    ['in other letters', 'größe', 'i/größe'],
  ])('resolves a name %s as QEMU does', async (_what, backing, expected) => {
    const { path, root } = await overlayOf(header({ backing }));
    expect((await readWrittenBacking(path))?.path).toBe(join(root, expected));
  });

  it.each([
    ['file:/b/base', '/b/base'],
    ['/b/a:b', '/b/a:b'],
    ['nbd://host:10809/export', 'nbd://host:10809/export'],
    ['json:{"driver":"raw"}', 'json:{"driver":"raw"}'],
    ['https://host/image', 'https://host/image'],
  ])('leaves %j where it points', async (backing, expected) => {
    const { path } = await overlayOf(header({ backing }));
    expect((await readWrittenBacking(path))?.path).toBe(expected);
  });

  it('reads the longest name that there can be, and no longer one', async () => {
    const longest = `/${'a'.repeat(1022)}`;
    const { path } = await overlayOf(header({ backing: longest }));
    expect((await readWrittenBacking(path))?.path).toBe(longest);
    const { path: longer } = await overlayOf(header({ backing: `${longest}a` }));
    expect(await readWrittenBacking(longer)).toBeUndefined();
  });
});

describe('what has no backing file', () => {
  it.each([
    ['a qcow2 without one', header({})],
    ['an empty file', Buffer.alloc(0)],
    ['a file shorter than a header', header({ backing: '/b/base' }).subarray(0, 71)],
    ['a raw file', Buffer.alloc(4096, 7)],
  ])('is %s', async (_what, content) => {
    const { path } = await overlayOf(content);
    expect(await readWrittenBacking(path)).toBeUndefined();
  });

  it('is a missing file, and a directory', async () => {
    const { root } = await newHome();
    expect(await readWrittenBacking(join(root, 'no'))).toBeUndefined();
    expect(await readWrittenBacking(root)).toBeUndefined();
  });
});

describe('invariant 7: a header that lies', () => {
  it.each([
    ['a name behind the end of the file', { nameOffset: 4090n }],
    ['a name farther than numbers reach', { nameOffset: 2n ** 64n - 1n }],
    ['a name of 4 GiB', { nameLength: 0xffffffff }],
    ['a name of no length', { nameLength: 0 }],
    ['a name at no place', { nameOffset: 0n }],
  ])('about its name has none: %s', async (_what, lie) => {
    const { path } = await overlayOf(header({ backing: '/b/base', ...lie }));
    expect(await readWrittenBacking(path)).toBeUndefined();
  });

  it.each([
    ['a header length beyond the file', { headerLength: 0xffffffff }],
    ['a header length of 0', { headerLength: 0 }],
    ['an extension longer than the file', { extensions: [{ ...raw, length: 0xffffffff }] }],
    [
      'an unknown extension longer than the file',
      { extensions: [{ type: 1, content: '', length: 5000 }, raw] },
    ],
  ])('about its extensions keeps its name and has no format: %s', async (_what, lie) => {
    const { path } = await overlayOf(header({ backing: '/b/base', ...lie }));
    expect(await readWrittenBacking(path)).toEqual({ path: '/b/base', format: undefined });
  });
});
