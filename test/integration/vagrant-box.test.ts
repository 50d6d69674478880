import { createReadStream } from 'node:fs';
import { copyFile, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { asMaker } from '../../src/host/maker.js';
import { boxKeyFile, ensureBoxKey } from '../../src/instance/login/box-login.js';
import { importTelling, openFetchingHost, refuseImport } from '../support/fetching-host.js';
import {
  importTiny,
  makeImageFile,
  mib,
  sha256Of,
  type IntegrationHost,
} from '../support/integration-host.js';
import { startMirror } from '../support/mirror.js';

const twoDisks = [{ path: 'root.img' }, { path: 'data.img' }];

/** A box of format 2 with its files in this order; digests of its disks by their names. */
async function makeBox(
  host: IntegrationHost,
  order: readonly string[],
  disks: readonly object[] = twoDisks,
): Promise<{ readonly path: string; readonly digests: Readonly<Record<string, string>> }> {
  const directory = join(host.directory, 'unpacked');
  await mkdir(directory);
  for (const [seed, name] of ['root.img', 'data.img'].entries()) {
    const image = await makeImageFile(directory, 'qcow2', {
      seed: seed + 1,
      virtualSizeBytes: (seed + 4) * mib,
    });
    await copyFile(image, join(directory, name));
  }
  await writeFile(join(directory, 'metadata.json'), JSON.stringify({ provider: 'libvirt', disks }));
  await writeFile(join(directory, 'Vagrantfile'), 'raise "nobody reads this"');
  const path = join(host.directory, 'two.box');
  await execa('tar', ['-czf', path, '-C', directory, ...order]);
  const digestOf = (name: string) => sha256Of(join(directory, name));
  return { path, digests: { root: await digestOf('root.img'), data: await digestOf('data.img') } };
}

describe('a box with several disks', () => {
  it.each([
    ['metadata first', ['metadata.json', 'root.img', 'data.img', 'Vagrantfile']],
    ['metadata last', ['Vagrantfile', 'root.img', 'data.img', 'metadata.json']],
    // As Vagrant's own packager leaves them: in the order of their names.
    ['another disk first, metadata last', ['Vagrantfile', 'data.img', 'root.img', 'metadata.json']],
    ['metadata between', ['data.img', 'metadata.json', 'root.img']],
  ])('%s: its first disk is the image, and the others are named', async (_what, order) => {
    const host = await openFetchingHost();
    const { path, digests } = await makeBox(host, order);
    const { image, notices } = await importTelling(host, { source: { path } });
    expect(image.sha256).toBe(digests['root']);
    expect(notices.join('\n')).toMatch(
      /more disks, which are not part of this image: "data\.img".*--box-disk/,
    );
    const { image: other } = await importTelling(host, { source: { path }, boxDisk: 'data.img' });
    expect(other.sha256).toBe(digests['data']);
  });

  it('is read twice from a URL where it has to be, and its digest is checked all the same', async () => {
    const host = await openFetchingHost();
    const mirror = await startMirror();
    const { path, digests } = await makeBox(host, ['data.img', 'root.img', 'metadata.json']);
    const source = { url: mirror.put('/two.box', await readFile(path)), allowHttp: true };
    const verification = { sha256: await sha256Of(path) };
    const { image, notices } = await importTelling(host, { source, verification });
    expect(image).toMatchObject({ sha256: digests['root'], verified: { by: 'digest' } });
    expect(notices.join('\n')).toContain('from its beginning again: its metadata.json, which comes late');
  });

  it('cannot be read twice from standard input, which is said', async () => {
    const host = await openFetchingHost();
    const { path } = await makeBox(host, ['data.img', 'root.img', 'metadata.json']);
    const stream = createReadStream(path) as AsyncIterable<Uint8Array>;
    const source = { stream, displayName: 'standard input' };
    const error = await refuseImport(host, { source }, 'IMAGE_ARCHIVE_INVALID');
    expect(error.message).toContain('names another disk');
  });

  it('has no other disks than those that it names, and what is no box has none', async () => {
    const host = await openFetchingHost();
    const { path } = await makeBox(host, ['metadata.json', 'root.img', 'data.img']);
    const refused = { source: { path }, boxDisk: 'Vagrantfile' };
    const error = await refuseImport(host, refused, 'IMAGE_ARCHIVE_INVALID');
    expect(error.message).toContain('no disk "Vagrantfile", only "root.img", "data.img"');
    const plain = { source: { path: join(host.directory, 'unpacked', 'root.img') }, boxDisk: 'root.img' };
    await refuseImport(host, plain, 'ARGUMENT_INVALID');
  });

  it('says of each disk what it is', async () => {
    const host = await openFetchingHost();
    const wrong = [
      { path: './root.img', format: 'raw' },
      { path: 'data.img', format: 'qcow2', virtual_size: 1 },
    ];
    const { path, digests } = await makeBox(host, ['metadata.json', './root.img', 'data.img'], wrong);
    await refuseImport(host, { source: { path } }, 'IMAGE_FORMAT_MISMATCH');
    const { image } = await importTelling(host, { source: { path }, boxDisk: 'data.img' });
    expect(image.sha256).toBe(digests['data']);
  });
});

describe('who logs in to a guest of a box', () => {
  it('is Vagrant’s user with Vagrant’s key, unless something else was asked for', async () => {
    const host = await openFetchingHost();
    const { path } = await makeBox(host, ['metadata.json', 'root.img', 'data.img']);
    const { image } = await importTelling(host, { source: { path } });
    expect(image.properties).toEqual({ os_admin_user: 'vagrant', launch_login_key: 'vagrant' });
    expect(boxKeyFile(host.home, image)).toBe(host.home.vagrantKey);
    expect(boxKeyFile(host.home, image, { keys: ['/k.pub'] })).toBeUndefined();
    expect(boxKeyFile(host.home, image, { user: 'me' })).toBeUndefined();
    const asked = await importTelling(host, { source: { path }, properties: { os_admin_user: 'root' } });
    expect(asked.image.properties).toEqual({ os_admin_user: 'root', launch_login_key: 'vagrant' });
    expect(boxKeyFile(host.home, await importTiny(host))).toBeUndefined();
  });

  it('has the key in a file that ssh accepts, and gets it back when it was spoilt', async () => {
    const host = await openFetchingHost();
    const { vagrantKey } = host.home;
    const { path } = await makeBox(host, ['metadata.json', 'root.img', 'data.img']);
    await importTelling(host, { source: { path } });
    await asMaker(host.home, async (maker) => {
      await ensureBoxKey(host.home, null, maker);
      await expect(stat(vagrantKey)).rejects.toThrow('ENOENT');
      await ensureBoxKey(host.home, vagrantKey, maker);
      await writeFile(vagrantKey, 'spoilt');
      await ensureBoxKey(host.home, vagrantKey, maker);
    });
    expect((await stat(vagrantKey)).mode & 0o777).toBe(0o600);
    // ssh-keygen reads it, and the public half is the one that boxes are built with.
    const { stdout } = await execa('ssh-keygen', ['-y', '-f', vagrantKey]);
    const known = await readFile(new URL('../../vagrant/box/vagrant.pub', import.meta.url), 'utf8');
    expect(known.split(' ')[1]).toBe(stdout.trim().split(' ')[1]);
    await rm(vagrantKey);
  });
});
