import { createReadStream } from 'node:fs';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { importTelling, openFetchingHost, refuseImport } from '../support/fetching-host.js';
import {
  listTree,
  makeImageFile,
  makeTemporaryDirectory,
  noise,
  sha256Of,
} from '../support/integration-host.js';
import { sha256, startMirror } from '../support/mirror.js';
import { makeSigningKey, type SigningKey } from '../support/signing-key.js';

let key: SigningKey;
let stranger: SigningKey;
beforeAll(async () => {
  key = await makeSigningKey('Maker <maker@example.org>');
  stranger = await makeSigningKey('Stranger <stranger@example.org>');
});
afterAll(async () => {
  await key.dispose();
  await stranger.dispose();
});

/** A host, a mirror, an image, the same compressed, and the maker's keyring. */
async function open() {
  const host = await openFetchingHost();
  const mirror = await startMirror();
  const path = await makeImageFile(host.directory, 'qcow2');
  await execa('xz', ['-k', '-0', path]);
  const keyring = join(host.directory, 'keyring.gpg');
  await writeFile(keyring, key.binary);
  const [disk, packed] = [await readFile(path), await readFile(`${path}.xz`)];
  const urlOf = (content: Buffer) => ({ url: mirror.put('/disk.qcow2', content), allowHttp: true });
  return { host, mirror, path, disk, packed, keyring, urlOf };
}

describe('a signature of the image itself', () => {
  it('is checked for a URL, a file and standard input', async () => {
    const { host, mirror, path, disk, keyring, urlOf } = await open();
    const signature = mirror.put('/disk.qcow2.sig', await key.detachedSignature(disk));
    for (const source of [
      urlOf(disk),
      { path },
      { stream: createReadStream(path) as AsyncIterable<Uint8Array>, displayName: 'standard input' },
    ]) {
      // Its own URL may be http only where the image's is: the others take it from a file.
      const file = join(host.directory, 'disk.sig');
      await writeFile(file, await key.detachedSignature(disk));
      const verification = { signature: 'url' in source ? signature : file, keyring };
      const { image, notices, events } = await importTelling(host, { source, verification });
      expect(image.verified).toEqual({
        by: 'image-signature',
        algorithm: 'sha256',
        digest: sha256(disk),
        key: key.fingerprint,
      });
      expect(notices).toEqual([]);
      expect(JSON.stringify(events)).toContain(`signed by ${key.fingerprint}`);
      expect(await listTree(host.home.image(image.id).directory)).toEqual(['image.json', 'image.qcow2']);
    }
  });

  it('is of the file as downloaded, not as unpacked', async () => {
    const { host, disk, packed, keyring, urlOf } = await open();
    const signature = join(host.directory, 'signature');
    await writeFile(signature, await key.detachedSignature(packed));
    const verification = { signature, keyring };
    const { image } = await importTelling(host, { source: urlOf(packed), verification });
    expect(image).toMatchObject({ sha256: sha256(disk), downloaded: { compression: 'xz' } });
    expect(image.verified).toMatchObject({ by: 'image-signature', digest: sha256(packed) });
    await writeFile(signature, await key.detachedSignature(disk));
    await refuseImport(host, { source: urlOf(packed), verification }, 'IMAGE_SIGNATURE_INVALID');
  });

  it('is checked anew when the download begins anew, and of the whole when it is resumed', async () => {
    const { host, mirror, disk, keyring } = await open();
    const signature = join(host.directory, 'signature');
    await writeFile(signature, await key.detachedSignature(disk));
    for (const ranges of [false, true]) {
      const answers = [{ breakAfter: 300_000 }, 'whole'] as const;
      const url = mirror.put('/disk.qcow2', { content: disk, ranges, answers });
      const source = { url, allowHttp: true };
      const { image } = await importTelling(host, { source, verification: { signature, keyring } });
      expect(image.verified).toMatchObject({ by: 'image-signature', key: key.fingerprint });
      expect(await sha256Of(host.home.image(image.id).file('qcow2'))).toBe(sha256(disk));
    }
  });

  it('that is wrong, of another key, or none at all, leaves nothing', async () => {
    const { host, path, disk, keyring, urlOf } = await open();
    const changed = Buffer.from(disk);
    changed[disk.length - 1] = (changed[disk.length - 1] ?? 0) ^ 1;
    for (const content of [
      await key.detachedSignature(changed),
      await key.detachedSignature(Buffer.concat([disk, Buffer.of(0)])),
      await stranger.detachedSignature(disk),
      // What has its own text, rightly signed, says nothing about the image.
      Buffer.from(await key.clearSigned('something else')),
      Buffer.from('<html>not found</html>'),
      noise(512),
      Buffer.alloc(0),
    ]) {
      const signature = join(host.directory, 'signature');
      await writeFile(signature, content);
      const verification = { signature, keyring };
      for (const source of [urlOf(disk), { path }]) {
        const error = await refuseImport(host, { source, verification }, 'IMAGE_SIGNATURE_INVALID');
        expect(error.message).toContain('refused "disk.qcow2": ');
      }
    }
  });

  it('and a digest both have to be right', async () => {
    const { host, disk, keyring, urlOf } = await open();
    const signature = join(host.directory, 'signature');
    await writeFile(signature, await key.detachedSignature(disk));
    const right = { signature, keyring, sha256: sha256(disk) };
    const { image } = await importTelling(host, { source: urlOf(disk), verification: right });
    expect(image.verified).toMatchObject({ by: 'image-signature' });
    const wrong = { ...right, sha256: sha256(Buffer.from('x')) };
    await refuseImport(host, { source: urlOf(disk), verification: wrong }, 'IMAGE_DIGEST_MISMATCH');
  });

  it('what does not go with it is refused before the image is asked for', async () => {
    const { host, mirror, disk, keyring, urlOf } = await open();
    const source = urlOf(disk);
    const noKey = join(host.directory, 'no-key');
    await writeFile(noKey, 'no key');
    for (const verification of [
      { signature: keyring },
      { keyring },
      { signature: keyring, keyring: noKey },
    ]) {
      await refuseImport(host, { source, verification }, 'ARGUMENT_INVALID');
    }
    const gone = { signature: mirror.url('/none'), keyring };
    await refuseImport(host, { source, verification: gone }, 'DOWNLOAD_FAILED');
    expect(mirror.requestsOf('/disk.qcow2')).toEqual([]);
  });

  it('cannot be checked without gpgv', async () => {
    const { host, path, disk, keyring, urlOf } = await open();
    const signature = join(host.directory, 'signature');
    await writeFile(signature, await key.detachedSignature(disk));
    const programs = await makeTemporaryDirectory();
    const setpriv = (await execa('which', ['setpriv'])).stdout;
    await symlink(setpriv, join(programs, 'setpriv'));
    vi.stubEnv('PATH', programs);
    try {
      for (const source of [urlOf(disk), { path }]) {
        const error = await refuseImport(
          host,
          { source, verification: { signature, keyring } },
          'COMMAND_MISSING',
        );
        expect(error.hint).toContain('apt-get install gpgv');
      }
    } finally {
      vi.unstubAllEnvs();
    }
  });
});
