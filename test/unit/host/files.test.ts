import { mkdir, readFile, readdir, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import {
  ensureDirectory,
  makeDirectory,
  fileExists,
  findFileStat,
  listDirectory,
  readTextFile,
  removeTree,
  writeFileAtomic,
} from '../../../src/host/files.js';
import { launchErrorOf } from './launch-error-of.js';
import { newHome } from './new-home.js';

const names = { temporaryPath: (path: string) => `${path}.tmp` };

/** Runs work as a process that was started with another umask. */
async function withUmask(mask: number, work: () => Promise<void>): Promise<void> {
  const before = process.umask(mask);
  try {
    await work();
  } finally {
    process.umask(before);
  }
}

describe('writeFileAtomic', () => {
  it('writes the whole text, over an older and longer one too, and leaves nothing else', async () => {
    const { root } = await newHome();
    const path = join(root, 'record.json');
    await writeFileAtomic(path, 'a'.repeat(10_000), names);
    await writeFileAtomic(path, 'größer\n', names);
    expect(await readFile(path, 'utf8')).toBe('größer\n');
    expect(await readdir(root)).toEqual(['record.json']);
  });

  it('makes a file that others may read', async () => {
    const { root } = await newHome();
    await withUmask(0o022, () => writeFileAtomic(join(root, 'file'), '', names));
    expect((await stat(join(root, 'file'))).mode & 0o777).toBe(0o644);
  });

  it('gives a reader the old or the new text while it is written, never a part', async () => {
    const { root } = await newHome();
    const path = join(root, 'file');
    const texts = ['a'.repeat(200_000), 'b'.repeat(100_000)];
    await writeFileAtomic(path, texts[0] ?? '', names);
    const write = async () => {
      for (let turn = 1; turn <= 20; turn += 1) await writeFileAtomic(path, texts[turn % 2] ?? '', names);
      return true;
    };
    const writing = write();
    const seen = new Set<string>();
    for (let done = false; !done;) {
      seen.add(await readFile(path, 'utf8'));
      done = await Promise.race([writing, new Promise<false>((resolve) => setImmediate(resolve, false))]);
    }
    expect([...seen].filter((text) => !texts.includes(text))).toEqual([]);
  });

  it('fails with a reason and makes nothing when the directory is missing', async () => {
    const { root } = await newHome();
    const path = join(root, 'missing', 'file');
    const error = await launchErrorOf(writeFileAtomic(path, 'text', names));
    expect(error.code).toBe('FILE_SYSTEM');
    expect(error.message).toBe(`cannot write "${path}": no such file or directory`);
    expect(await readdir(root)).toEqual([]);
  });

  // rm({ force: true }) forgives ENOENT only, so clearing up hides the reason behind a plain ENOTDIR.
  it('fails with a reason when its directory is a file', async () => {
    const { root } = await newHome();
    await writeFile(join(root, 'file'), 'old');
    const error = await launchErrorOf(writeFileAtomic(join(root, 'file', 'record'), 'text', names));
    expect(error.code).toBe('FILE_SYSTEM');
    expect(await readFile(join(root, 'file'), 'utf8')).toBe('old');
  });

  it('leaves no temporary file when the name is taken by a directory', async () => {
    const { root } = await newHome();
    await mkdir(join(root, 'record', 'inside'), { recursive: true });
    const error = await launchErrorOf(writeFileAtomic(join(root, 'record'), 'text', names));
    expect(error.code).toBe('FILE_SYSTEM');
    expect(await readdir(root)).toEqual(['record']);
    expect(await readdir(join(root, 'record'))).toEqual(['inside']);
  });
});

describe('reading', () => {
  it('gives the text, and undefined where there is no file', async () => {
    const { root } = await newHome();
    await writeFile(join(root, 'file'), 'text');
    expect(readTextFile(join(root, 'file'))).toBe('text');
    expect(readTextFile(join(root, 'nothing'))).toBeUndefined();
    expect(readTextFile(join(root, 'file', 'below'))).toBeUndefined();
  });

  it('refuses what is there and no file', async () => {
    const { root } = await newHome();
    const error = await launchErrorOf(() => readTextFile(root));
    expect([error.code, error.message]).toEqual(['FILE_SYSTEM', `cannot read "${root}": EISDIR`]);
  });

  it('lists a directory, none of one that is missing, and refuses a file', async () => {
    const { root } = await newHome();
    await writeFile(join(root, 'file'), '');
    expect(await listDirectory(root)).toEqual(['file']);
    expect(await listDirectory(join(root, 'nothing'))).toEqual([]);
    expect((await launchErrorOf(listDirectory(join(root, 'file')))).code).toBe('FILE_SYSTEM');
  });

  it('tells length and allocation apart', async () => {
    const { root } = await newHome();
    const path = join(root, 'sparse');
    await writeFile(path, 'x'.repeat(4096));
    await truncate(path, 1024 ** 3);
    const found = await findFileStat(path);
    expect(found?.sizeBytes).toBe(1024 ** 3);
    expect(found?.allocatedBytes).toBeLessThan(1024 ** 2);
    expect(found?.inode).toBe((await stat(path, { bigint: true })).ino);
  });

  it('knows what is not there, and what a dangling link is', async () => {
    const { root } = await newHome();
    await symlink('/nowhere/at/all', join(root, 'link'));
    expect(fileExists(join(root, 'link'))).toBe(false);
    expect(fileExists(join(root, 'nothing'))).toBe(false);
    expect(fileExists(root)).toBe(true);
  });
});

describe('directories', () => {
  it('are made with their parents, again and again', async () => {
    const { root } = await newHome();
    const path = join(root, 'a', 'b');
    await ensureDirectory(path);
    await ensureDirectory(path);
    expect((await stat(path)).isDirectory()).toBe(true);
  });

  // mkdir's mode is cut by the umask: with 077, as hardened hosts have it, QEMU cannot reach its disk.
  it('are open to search for others, whatever the umask', async () => {
    const { root } = await newHome();
    await withUmask(0o077, () => ensureDirectory(join(root, 'a', 'b')));
    for (const path of ['a', join('a', 'b')])
      expect((await stat(join(root, path))).mode & 0o777, path).toBe(0o755);
  });

  it('have exactly the mode that one is made with, whatever the umask', async () => {
    const { root } = await newHome();
    const path = join(root, 'a');
    await withUmask(0o077, () => makeDirectory(path, 0o711));
    expect((await stat(path)).mode & 0o777).toBe(0o711);
    expect((await launchErrorOf(makeDirectory(path, 0o711))).code).toBe('FILE_SYSTEM');
  });

  it('cannot be made through a file', async () => {
    const { root } = await newHome();
    await writeFile(join(root, 'file'), '');
    expect((await launchErrorOf(ensureDirectory(join(root, 'file', 'b')))).code).toBe('FILE_SYSTEM');
  });

  it('are removed with what is in them, and removing nothing is fine', async () => {
    const { root } = await newHome();
    await mkdir(join(root, 'a', 'b'), { recursive: true });
    await writeFile(join(root, 'outside'), 'stays');
    await symlink(join(root, 'outside'), join(root, 'a', 'link'));
    await removeTree(join(root, 'a'));
    await removeTree(join(root, 'a'));
    expect(await readdir(root)).toEqual(['outside']);
    await rm(join(root, 'outside'));
  });
});
