import { mkdir, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { renderRecord } from '../../../src/host/record.js';
import type { ImageRecord } from '../../../src/image/image-record.js';
import { sampleImage } from '../image/sample-image.js';
import { newProgram } from './run.js';

async function programWith(changes: Partial<ImageRecord>) {
  const program = await newProgram();
  const image = sampleImage(changes);
  const paths = program.home.image(image.id);
  await mkdir(paths.directory, { recursive: true });
  await writeFile(paths.record, renderRecord(image));
  return program;
}

describe('an image without a name', () => {
  it.each(['https://example.org/', 'https://example.org/x/?a=b', '.qcow2'])(
    'asks for one: %s',
    async (file) => {
      const { run } = await newProgram();
      const { exitCode, stderr } = await run('image', 'import', file);
      expect(exitCode).toBe(2);
      expect(stderr).toContain('has no file name to call the image by');
      expect(stderr).toContain('add --name NAME');
    },
  );
});

describe('who vouches for an image', () => {
  it('is said of one that was downloaded and that nothing vouches for', async () => {
    const { run } = await programWith({ source: 'https://example.org/f17.qcow2', verified: null });
    const list = await run('image', 'list');
    expect(list.stderr).toContain('fedora-17 (1e6292f9-82bd-4cdb-969e-c863cb1c6692) is unverified');
    expect(list.stdout).not.toMatch(/verified/i);
    expect((await run('image', 'show', 'fedora-17')).stdout).toContain('no: nothing vouches for it');
    expect(JSON.parse((await run('image', 'list', '--format', 'json')).stdout)).toMatchObject([
      { verified: null },
    ]);
  });

  it('is not asked of a local one', async () => {
    const { run } = await programWith({});
    expect((await run('image', 'list')).stderr).toBe('');
    expect((await run('image', 'show', 'fedora-17')).stdout).not.toMatch(/verified/);
  });

  it('is shown with the list and the key', async () => {
    const { run } = await programWith({
      verified: {
        by: 'signature',
        algorithm: 'sha256',
        digest: 'b'.repeat(64),
        checksums: 'https://example.org/SHA256SUMS',
        key: 'D2EB44626FDDC30B513D5BB71A5D6C4C7DB87C81',
      },
      downloaded: { sizeBytes: 1024, sha256: 'b'.repeat(64), compression: 'xz', archive: null },
      catalogue: { name: 'fedora-17', architecture: 'amd64' },
    });
    const { stdout, stderr } = await run('image', 'show', 'fedora-17');
    expect(stderr).toBe('');
    expect(stdout).toMatch(
      /sha256 in https:\/\/example\.org\/SHA256SUMS, signed by D2EB44626FDDC30B513D5BB71A5D6C4C7DB87C81/,
    );
    expect(stdout).toMatch(/unpacked from +\| xz, 1 KiB/);
    expect(stdout).toMatch(/catalogue +\| fedora-17, amd64/);
  });
});

describe('an image whose maker signs it itself', () => {
  it('is shown with the key', async () => {
    const key = 'D2EB44626FDDC30B513D5BB71A5D6C4C7DB87C81';
    const { run } = await programWith({
      verified: { by: 'image-signature', algorithm: 'sha256', digest: 'b'.repeat(64), key },
    });
    expect((await run('image', 'show', 'fedora-17')).stdout).toContain(`the file itself, signed by ${key}`);
    expect((await run('image', 'list')).stderr).toBe('');
  });
});

describe('image import of a URL', () => {
  it.each([
    [['http://example.org/x.qcow2'], '--allow-http'],
    [['ftp://example.org/x.qcow2'], 'use https'],
    [['https://127.0.0.1:1/x', '--sha256', 'abc'], '64 hexadecimal digits'],
    [['https://127.0.0.1:1/x', '--signature', 'x'], '--keyring FILE'],
    [['https://127.0.0.1:1/x', '--keyring', 'x'], '--signature URL'],
  ])('%j is refused before anything is asked for', async (args, hint) => {
    const { run } = await newProgram();
    const { exitCode, stderr } = await run('image', 'import', ...args);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(hint);
  });
});

describe('image catalogue', () => {
  it('lists what can be fetched', async () => {
    const { run } = await newProgram();
    expect((await run('image', 'catalogue')).stdout).toMatch(
      /\| debian-12 +\| Debian 12 \(bookworm\) +\| amd64, arm64/,
    );
    expect((await run('image', 'update', 'none')).stderr).toContain('launch image catalogue');
  });
});
