import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WorkEvent } from '../../src/host/work.js';
import { hostArchitecture } from '../../src/image/catalogue/catalogue.js';
import { getImage, listImages } from '../../src/image/image-store.js';
import { prefetchBases } from '../../src/instance/bases/prefetch-base.js';
import { ensureImage, listCatalogue, updateImage } from '../../src/instance/images/catalogue-verbs.js';
import { importImageFile } from '../../src/instance/images/image-verbs.js';
import { launchInstance, previewLaunch } from '../../src/instance/launch-instance.js';
import { Child, compileForChildren } from '../support/child-process.js';
import { importTelling, openFetchingHost, refuseImport } from '../support/fetching-host.js';
import {
  expectRefusal,
  importTiny,
  listTree,
  makeImageFile,
  mib,
  type IntegrationHost,
} from '../support/integration-host.js';
import { sha256, sha512, startMirror, type Mirror } from '../support/mirror.js';
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

async function diskOf(host: IntegrationHost, seed = 1): Promise<Buffer> {
  const directory = join(host.directory, `seed-${seed}`);
  await mkdir(directory, { recursive: true });
  return await readFile(await makeImageFile(directory, 'qcow2', { seed, dataBytes: mib }));
}

describe('checksums and signatures', () => {
  async function open() {
    const host = await openFetchingHost();
    const mirror = await startMirror();
    const disk = await diskOf(host);
    const source = { url: mirror.put('/disk.qcow2', disk), allowHttp: true };
    const keyring = join(host.directory, 'keyring.gpg');
    await writeFile(keyring, key.binary);
    return { host, mirror, disk, source, keyring };
  }

  it.each<[string, (disk: Buffer) => string, 'sha256' | 'sha512']>([
    ['sha256sum’s, text', (disk) => `${sha256(disk)}  disk.qcow2\n`, 'sha256'],
    ['sha256sum’s, binary', (disk) => `${'0'.repeat(64)} *other\n${sha256(disk)} *disk.qcow2\n`, 'sha256'],
    ['sha512sum’s', (disk) => `${sha512(disk)}  ./disk.qcow2\n`, 'sha512'],
    ['BSD’s', (disk) => `# disk: 1 byte\nSHA256 (disk.qcow2) = ${sha256(disk)}\n`, 'sha256'],
    ['a digest alone', (disk) => sha512(disk), 'sha512'],
  ])('%s form, from a URL and a file', async (_what, render, algorithm) => {
    const { host, mirror, disk, source } = await open();
    const path = join(host.directory, 'SUMS');
    await writeFile(path, render(disk));
    for (const checksums of [mirror.put('/SUMS', render(disk)), path]) {
      const { image } = await importTelling(host, { source, verification: { checksums } });
      expect(image.verified).toMatchObject({ by: 'checksums', algorithm });
      expect(image.verified?.key).toBeUndefined();
    }
  });

  it('a signed list that nobody asked to check is said to be one', async () => {
    const { host, mirror, disk, source, keyring } = await open();
    const signed = await key.clearSigned(`SHA256 (disk.qcow2) = ${sha256(disk)}\n`);
    const checksums = mirror.put('/CHECKSUM', signed);
    const unchecked = await importTelling(host, { source, verification: { checksums } });
    expect(unchecked.image.verified).toMatchObject({ by: 'checksums' });
    expect(unchecked.notices.join()).toMatch(/CHECKSUM" is signed, which is not checked: --keyring FILE/);
    const checked = await importTelling(host, { source, verification: { checksums, keyring } });
    expect(checked.image.verified).toMatchObject({ by: 'signature', key: key.fingerprint });
    expect(checked.notices).toEqual([]);
  });

  it('a detached signature, with an armored and a binary keyring', async () => {
    const { host, mirror, disk, source, keyring } = await open();
    const sums = `${sha256(disk)} *disk.qcow2\n`;
    const checksums = mirror.put('/SHA256SUMS', sums);
    const signature = mirror.put('/SHA256SUMS.gpg', await key.detachedSignature(sums));
    const armored = join(host.directory, 'keyring.asc');
    await writeFile(armored, `${stranger.armored}\n${key.armored}`);
    for (const keys of [keyring, armored]) {
      const { image, events } = await importTelling(host, {
        source,
        verification: { checksums, signature, keyring: keys },
      });
      expect(image.verified).toEqual({
        by: 'signature',
        algorithm: 'sha256',
        digest: sha256(disk),
        checksums,
        key: key.fingerprint,
      });
      expect(JSON.stringify(events)).toContain(`signed by ${key.fingerprint}`);
    }
  });

  it('a clear-signed list: only what was signed is read', async () => {
    const { host, mirror, disk, source, keyring } = await open();
    const signed = await key.clearSigned(`SHA256 (disk.qcow2) = ${sha256(disk)}\n`);
    const lie = `SHA256 (disk.qcow2) = ${'0'.repeat(64)}\n`;
    const checksums = mirror.put('/CHECKSUM', `${lie}\n${signed}\n${lie}`);
    for (const signature of [undefined, checksums]) {
      const { image } = await importTelling(host, {
        source,
        verification: { checksums, keyring, signature },
      });
      expect(image.verified).toMatchObject({ by: 'signature', digest: sha256(disk) });
    }
    // What stands around the signed text does not count, also where it alone would be right.
    const around = await key.clearSigned('SHA256 (other) = 00\n');
    mirror.put('/CHECKSUM', `SHA256 (disk.qcow2) = ${sha256(disk)}\n${around}`);
    await refuseImport(host, { source, verification: { checksums, keyring } }, 'IMAGE_CHECKSUM_MISSING');
  });

  it('a bad signature is refused before the image is asked for', async () => {
    const { host, mirror, disk, source, keyring } = await open();
    const sums = `${sha256(disk)} *disk.qcow2\n`;
    const good = await key.detachedSignature(sums);
    const clear = await key.clearSigned(`SHA256 (disk.qcow2) = ${sha256(disk)}\n`);
    const cases: readonly { readonly sums: string; readonly signature?: Buffer | string }[] = [
      { sums: `${sums} `, signature: good },
      { sums, signature: await stranger.detachedSignature(sums) },
      { sums, signature: 'no signature' },
      { sums, signature: Buffer.alloc(0) },
      { sums },
      { sums: clear.replace(sha256(disk), sha256(Buffer.from('x'))) },
      { sums: await stranger.clearSigned(sums) },
      // Two texts, of which one is a stranger's.
      { sums: `${clear}\n${await stranger.clearSigned(`SHA256 (x) = ${sha256(disk)}\n`)}` },
    ];
    for (const one of cases) {
      const checksums = mirror.put('/SUMS', one.sums);
      const signature =
        one.signature === undefined ? undefined : mirror.put('/SUMS.gpg', Buffer.from(one.signature));
      const verification = { checksums, keyring, signature };
      await refuseImport(host, { source, verification }, 'IMAGE_SIGNATURE_INVALID');
    }
    expect(mirror.requestsOf('/disk.qcow2')).toEqual([]);
  });

  it('a list without the file’s name, with two digests of it, or that is not there', async () => {
    const { host, mirror, disk, source } = await open();
    const other = sha256(Buffer.from('other'));
    for (const sums of [
      `${sha256(disk)}  other.qcow2\n`,
      '',
      `${sha256(disk)}  disk.qcow2\n${other}  disk.qcow2\n`,
      `MD5 (disk.qcow2) = ${'0'.repeat(32)}\n`,
    ]) {
      const checksums = mirror.put('/SUMS', sums);
      await refuseImport(host, { source, verification: { checksums } }, 'IMAGE_CHECKSUM_MISSING');
    }
    const nowhere = mirror.url('/none');
    await refuseImport(host, { source, verification: { checksums: nowhere } }, 'DOWNLOAD_FAILED');
    await refuseImport(
      host,
      { source, verification: { checksums: join(host.directory, 'none') } },
      'FILE_SYSTEM',
    );
    const huge = mirror.put('/huge', Buffer.alloc(2 * mib));
    await refuseImport(host, { source, verification: { checksums: huge } }, 'DOWNLOAD_FAILED');
    expect(mirror.requestsOf('/disk.qcow2')).toEqual([]);
  });

  it('a wrong digest in a signed list', async () => {
    const { host, mirror, source, keyring } = await open();
    const sums = `${sha256(Buffer.from('other'))}  disk.qcow2\n`;
    const checksums = mirror.put('/SUMS', sums);
    const signature = mirror.put('/SUMS.gpg', await key.detachedSignature(sums));
    const verification = { checksums, signature, keyring };
    await refuseImport(host, { source, verification }, 'IMAGE_DIGEST_MISMATCH');
  });

  it('what does not go together is refused', async () => {
    const { host, mirror, source, keyring, disk } = await open();
    const checksums = mirror.put('/SUMS', `${sha256(disk)}  disk.qcow2\n`);
    const noKey = join(host.directory, 'no-key');
    await writeFile(noKey, 'no key');
    for (const verification of [
      { signature: checksums },
      { keyring },
      { checksums, signature: checksums },
      { checksums, signature: mirror.put('/SUMS.gpg', 'x'), keyring: noKey },
    ]) {
      await refuseImport(host, { source, verification }, 'ARGUMENT_INVALID');
    }
  });
});

describe('the catalogue', () => {
  /** A home whose own catalogue has `tiny-1`, signed, on a mirror. */
  async function open(directory?: string) {
    const host = await openFetchingHost(directory === undefined ? {} : { directory });
    const mirror = await startMirror();
    await writeCatalogue(host, mirror);
    return { host, mirror };
  }

  async function writeCatalogue(host: IntegrationHost, mirror: Mirror): Promise<void> {
    const { catalogueFile } = host.home;
    await mkdir(dirname(catalogueFile), { recursive: true });
    await writeFile(join(dirname(catalogueFile), 'maker.asc'), key.armored);
    const entry = {
      title: 'Tiny 1',
      places: [mirror.url('/gone/'), mirror.url('/{arch}/')],
      file: 'tiny-{arch}.qcow2',
      checksums: 'SHA256SUMS',
      signature: 'SHA256SUMS.gpg',
      keys: ['maker'],
      architectures: { amd64: 'x', arm64: 'x' },
      allowHttp: true,
      minDiskGib: 1,
      properties: { os_distro: 'tiny' },
    };
    const keys = { maker: { fingerprint: key.fingerprint, file: 'maker.asc' } };
    await writeFile(catalogueFile, JSON.stringify({ keys, images: { 'tiny-1': entry } }));
  }

  async function publish(mirror: Mirror, disk: Buffer, by = key): Promise<void> {
    const sums = `${sha256(disk)} *tiny-x.qcow2\n`;
    mirror.put('/x/tiny-x.qcow2', disk);
    mirror.put('/x/SHA256SUMS', sums);
    mirror.put('/x/SHA256SUMS.gpg', await by.detachedSignature(sums));
  }

  it('fetches, verifies and imports on first use, and not again', async () => {
    const { host, mirror } = await open();
    const disk = await diskOf(host);
    await publish(mirror, disk);
    const events: WorkEvent[] = [];
    const image = await ensureImage(host, 'tiny-1', { onEvent: (event) => events.push(event) });
    expect(image).toMatchObject({
      name: 'tiny-1',
      sha256: sha256(disk),
      source: mirror.url('/x/tiny-x.qcow2'),
      catalogue: { name: 'tiny-1', architecture: hostArchitecture(process.arch) },
      verified: { by: 'signature', key: key.fingerprint, checksums: mirror.url('/x/SHA256SUMS') },
      minDiskGib: 1,
      properties: { os_distro: 'tiny' },
    });
    expect(events[0]).toEqual({ type: 'notice', message: '"tiny-1" is not here yet: fetching Tiny 1' });
    const seen = mirror.requests.length;
    expect(await ensureImage(host, 'tiny-1')).toEqual(image);
    expect(mirror.requests).toHaveLength(seen);
    expect(await listTree(host.home.locks)).toEqual([]);
    expect(await listCatalogue(host)).toContainEqual({
      name: 'tiny-1',
      title: 'Tiny 1',
      architectures: ['amd64', 'arm64'],
      origin: 'user',
      signed: true,
      imageId: image.id,
    });
  });

  it('an image of that name goes before it, and an unknown name is not found', async () => {
    const { host, mirror } = await open();
    const own = await importTiny(host, { name: 'tiny-1' });
    expect(await ensureImage(host, 'tiny-1')).toEqual(own);
    await expectRefusal(ensureImage(host, 'tiny-2'), 'IMAGE_NOT_FOUND');
    expect(mirror.requests).toEqual([]);
  });

  it('what is signed by another key, or not at all, is refused and leaves nothing', async () => {
    const { host, mirror } = await open();
    const disk = await diskOf(host);
    const before = await listTree(host.home.root);
    const left = async () =>
      (await listTree(host.home.root)).filter((path) => !['images/', 'locks/', ...before].includes(path));
    await publish(mirror, disk, stranger);
    await expectRefusal(ensureImage(host, 'tiny-1'), 'IMAGE_SIGNATURE_INVALID');
    expect(await left()).toEqual([]);
    await publish(mirror, disk);
    mirror.put('/x/SHA256SUMS.gpg', { content: disk, answers: [{ status: 404 }] });
    await expectRefusal(ensureImage(host, 'tiny-1'), 'DOWNLOAD_FAILED');
    await publish(mirror, disk);
    mirror.put('/x/tiny-x.qcow2', await diskOf(host, 2));
    await expectRefusal(ensureImage(host, 'tiny-1'), 'IMAGE_DIGEST_MISMATCH');
    expect(await left()).toEqual([]);
  });

  it('many that ask at once download once, and the others see how far it is', async () => {
    const { host, mirror } = await open();
    const disk = await diskOf(host);
    await publish(mirror, disk);
    // A download that takes a moment: it stalls once.
    mirror.put('/x/tiny-x.qcow2', { content: disk, answers: [{ stallAfter: 600_000 }, 'whole'] });
    const events: WorkEvent[] = [];
    const images = await Promise.all(
      Array.from({ length: 8 }, () =>
        ensureImage({ ...host }, 'tiny-1', { onEvent: (event) => events.push(event) }),
      ),
    );
    expect(new Set(images.map(({ id }) => id)).size).toBe(1);
    expect((await listImages(host.home)).images).toHaveLength(1);
    expect(mirror.requestsOf('/x/SHA256SUMS')).toHaveLength(1);
    expect(mirror.requestsOf('/x/tiny-x.qcow2')).toHaveLength(2);
    const waits = events.flatMap((event) =>
      event.type === 'step-progress' && event.step === 'image' ? [event] : [],
    );
    expect(waits).toContainEqual(
      expect.objectContaining({
        message: `waiting: process ${process.pid} is fetching tiny-1`,
        totalBytes: disk.length,
      }),
    );
    expect(await listTree(host.home.locks)).toEqual([]);
  });

  it('processes that ask at once download once, too', async () => {
    const { host, mirror } = await open();
    const disk = await diskOf(host);
    await publish(mirror, disk);
    mirror.put('/x/tiny-x.qcow2', { content: disk, answers: [{ breakAfter: 600_000 }, 'whole'] });
    const script = await compileForChildren(join(host.directory, 'children'));
    const verb = { verb: 'ensure-image', image: 'tiny-1' } as const;
    const children = Array.from({ length: 4 }, () => new Child(script, host.home.root, verb));
    await Promise.all(children.map((child) => child.ready()));
    for (const child of children) child.go();
    const ids = await Promise.all(children.map(async (child) => ((await child.end()) as { id: string }).id));
    expect(new Set(ids).size).toBe(1);
    expect((await listImages(host.home)).images).toMatchObject([{ id: ids[0], sha256: sha256(disk) }]);
    expect(mirror.requestsOf('/x/tiny-x.qcow2')).toHaveLength(2);
    const waited = children.flatMap(({ messages }) =>
      messages.flatMap((message) =>
        message.type === 'event' && 'step' in message.event && message.event.step === 'image'
          ? [message]
          : [],
      ),
    );
    expect(waited.length).toBeGreaterThan(0);
  });

  it('a launch brings its image, when nothing else is wrong with it', async () => {
    const { host, mirror } = await open();
    const disk = await diskOf(host);
    await publish(mirror, disk);
    const request = { image: 'tiny-1', networks: [], virtType: 'qemu' as const, memoryMib: 64 };
    await expectRefusal(launchInstance(host, { ...request, flavor: 'none' }), 'FLAVOR_NOT_FOUND');
    const error = await expectRefusal(previewLaunch(host, request), 'IMAGE_NOT_FOUND');
    expect(error.hint).toContain('launch image update tiny-1');
    expect(mirror.requests).toEqual([]);
    const { instance } = await launchInstance(host, request);
    expect(instance.image).toMatchObject({ name: 'tiny-1', sha256: sha256(disk) });
    expect((await previewLaunch(host, request)).baseExists).toBe(true);
  });

  it('when the first one fails, the next one tries', async () => {
    const { host, mirror } = await open();
    const disk = await diskOf(host);
    await publish(mirror, disk);
    const content = Buffer.from(`${sha256(disk)} *tiny-x.qcow2\n`);
    mirror.put('/x/SHA256SUMS', { content, answers: [{ status: 400 }, 'whole'] });
    const results = await Promise.allSettled([ensureImage(host, 'tiny-1'), ensureImage(host, 'tiny-1')]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('an update imports the newer one beside the older, which gets its day into its name', async () => {
    const { host, mirror } = await open();
    await publish(mirror, await diskOf(host, 1));
    const first = await updateImage(host, 'tiny-1');
    expect(first).toMatchObject({ outcome: 'fetched', previous: null });
    const downloads = mirror.requestsOf('/x/tiny-x.qcow2').length;
    expect(await updateImage(host, 'tiny-1')).toMatchObject({
      outcome: 'current',
      image: { id: first.image.id },
    });
    expect(mirror.requestsOf('/x/tiny-x.qcow2')).toHaveLength(downloads);

    await publish(mirror, await diskOf(host, 2));
    const second = await updateImage(host, 'tiny-1');
    expect(second.outcome).toBe('updated');
    expect(second.previous).toEqual({ ...first.image, name: 'tiny-1-20260101' });
    expect(await getImage(host.home, 'tiny-1')).toEqual(second.image);
    expect((await getImage(host.home, 'tiny-1-20260101')).id).toBe(first.image.id);

    await publish(mirror, await diskOf(host, 3));
    const third = await updateImage(host, 'tiny-1');
    expect(third.previous?.name).toBe('tiny-1-20260101-2');
    expect((await ensureImage(host, 'tiny-1')).id).toBe(third.image.id);
    expect((await listImages(host.home)).images).toHaveLength(3);
  });

  it('an update that fails leaves the image and its name', async () => {
    const { host, mirror } = await open();
    await publish(mirror, await diskOf(host, 1));
    const { image } = await updateImage(host, 'tiny-1');
    const before = await listTree(host.home.root);
    await publish(mirror, await diskOf(host, 2));
    mirror.put('/x/tiny-x.qcow2', await diskOf(host, 3));
    await expectRefusal(updateImage(host, 'tiny-1'), 'IMAGE_DIGEST_MISMATCH');
    expect(await getImage(host.home, 'tiny-1')).toEqual(image);
    expect(await listTree(host.home.root)).toEqual(before);
    await expectRefusal(updateImage(host, 'no-such'), 'IMAGE_NOT_FOUND');
  });

  it('an update refuses a name that an image of ours has, before it downloads', async () => {
    const { host, mirror } = await open();
    await publish(mirror, await diskOf(host));
    const own = await importTiny(host, { name: 'tiny-1' });
    const error = await expectRefusal(updateImage(host, 'tiny-1'), 'IMAGE_EXISTS');
    expect(error.hint).toContain(`launch image rename ${own.id}`);
    expect(mirror.requestsOf('/x/tiny-x.qcow2')).toEqual([]);
    expect((await getImage(host.home, 'tiny-1')).id).toBe(own.id);
  });

  it('a prefetch brings its image', async () => {
    const { host, mirror } = await open();
    const disk = await diskOf(host);
    await publish(mirror, disk);
    const flavors = ['m1.tiny'];
    await expectRefusal(prefetchBases(host, { image: 'tiny-1', flavors: ['none'] }), 'FLAVOR_NOT_FOUND');
    expect(mirror.requests).toEqual([]);
    expect(await prefetchBases(host, { image: 'tiny-1', flavors })).toMatchObject([{ origin: 'converted' }]);
    expect(await getImage(host.home, 'tiny-1')).toMatchObject({ sha256: sha256(disk) });
  });

  it('of two of one name that an interrupted update left, the newest counts; of other two, none', async () => {
    const { host } = await open();
    const path = await makeImageFile(host.directory, 'qcow2');
    const catalogue = { name: 'tiny-1', architecture: 'amd64' };
    const request = { source: { path }, name: 'tiny-1', catalogue };
    await importImageFile(host, request);
    const second = await importImageFile(host, request);
    expect(await getImage(host.home, 'tiny-1')).toEqual(second);
    await importImageFile(host, { source: { path }, name: 'tiny-1' });
    await expectRefusal(getImage(host.home, 'tiny-1'), 'IMAGE_AMBIGUOUS');
  });

  it.each([
    ['no JSON', '{'],
    ['a name that is a path', '{"images":{"../x":{}}}'],
    ['an unknown field', '{"images":{},"more":1}'],
    ['a key that is not there', null],
  ])('a catalogue with %s is refused', async (_what, text) => {
    const { host } = await open();
    const entry = {
      title: 'x',
      places: ['https://x/'],
      file: 'x',
      checksums: 'y',
      signature: 'z',
      keys: ['none'],
    };
    const broken = { images: { x: { ...entry, architectures: { amd64: 'x' } } } };
    await writeFile(host.home.catalogueFile, text ?? JSON.stringify(broken));
    await expectRefusal(listCatalogue(host), 'RECORD_INVALID');
  });
});
