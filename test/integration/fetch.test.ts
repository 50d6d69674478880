import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { listImages } from '../../src/image/image-store.js';
import { importImageFile } from '../../src/instance/images/image-verbs.js';
import { importTelling, openFetchingHost, refuseImport } from '../support/fetching-host.js';
import { expectRefusal, listTree, makeImageFile, mib, sha256Of } from '../support/integration-host.js';
import { makeCertificate, sha256, sha512, startMirror, type Certificate } from '../support/mirror.js';

let certificate: Certificate;
beforeAll(async () => {
  certificate = await makeCertificate();
});

/** A host, a mirror that it trusts, and a qcow2 image of 2 MiB of data. */
async function open() {
  const host = await openFetchingHost({ certificates: certificate.cert });
  const mirror = await startMirror(certificate);
  const content = await readFile(await makeImageFile(host.directory, 'qcow2'));
  return { host, mirror, content };
}

describe('importing a URL', () => {
  it('downloads it in one pass, with progress, and records that nothing vouches for it', async () => {
    const { host, mirror, content } = await open();
    const url = mirror.put('/images/disk.qcow2', content);
    const { image, events, notices } = await importTelling(host, { source: { url } });
    expect(image).toMatchObject({ source: url, sha256: sha256(content), sizeBytes: content.length });
    expect(image.verified).toBeNull();
    expect(image.downloaded).toBeUndefined();
    expect(await sha256Of(host.home.image(image.id).file('qcow2'))).toBe(image.sha256);
    expect(notices).toEqual([expect.stringContaining('nothing vouches for "disk.qcow2"')]);
    const last = events.findLast((event) => event.type === 'step-progress' && event.step === 'fetched');
    expect(last).toMatchObject({ doneBytes: content.length, totalBytes: content.length });
    expect(mirror.requests).toHaveLength(1);
    expect((await listImages(host.home)).images).toEqual([image]);
  });

  it('keeps user, password and query out of records, messages and errors', async () => {
    const { host, mirror, content } = await open();
    mirror.put('/disk.qcow2', content);
    const url = `${mirror.url('/disk.qcow2', 'joe:s3cr%40t@')}?token=s3cret#s3cret`;
    const { image, events } = await importTelling(host, { source: { url } });
    expect(mirror.requests[0]?.authorization).toBe(`Basic ${Buffer.from('joe:s3cr@t').toString('base64')}`);
    expect(image.source).toBe(`${mirror.url('/disk.qcow2')}?…`);
    expect(JSON.stringify([image, events])).not.toMatch(/s3cr|joe/);
    const record = await readFile(host.home.image(image.id).record, 'utf8');
    expect(record).not.toMatch(/s3cr|joe/);
    const missing = `${mirror.url('/none', 'joe:s3cret@')}?token=s3cret`;
    const error = await refuseImport(host, { source: { url: missing } }, 'DOWNLOAD_FAILED');
    expect(JSON.stringify([error.message, error.hint, error.details])).not.toMatch(/s3cret|joe/);
    expect(error.message).toContain('404');
  });

  it('a server without a length, and without validators', async () => {
    const { host, mirror, content } = await open();
    const url = mirror.put('/disk', { content, etag: null, length: false });
    expect((await importTelling(host, { source: { url } })).image.sha256).toBe(sha256(content));
  });

  it('http only when it is allowed', async () => {
    const host = await openFetchingHost();
    const mirror = await startMirror();
    const content = await readFile(await makeImageFile(host.directory, 'qcow2'));
    const url = mirror.put('/disk.qcow2', content);
    const error = await refuseImport(host, { source: { url } }, 'ARGUMENT_INVALID');
    expect(error.hint).toContain('--allow-http');
    expect(mirror.requests).toEqual([]);
    const { image } = await importTelling(host, { source: { url, allowHttp: true } });
    expect(image.sha256).toBe(sha256(content));
  });

  it.each(['ftp://127.0.0.1/disk', 'file:///etc/passwd', 'https://', 'nbd://127.0.0.1/disk'])(
    'refuses %s',
    async (url) => {
      await refuseImport(await openFetchingHost(), { source: { url } }, 'ARGUMENT_INVALID');
    },
  );

  it('a certificate that nobody signed', async () => {
    const { mirror, content } = await open();
    const url = mirror.put('/disk.qcow2', content);
    const error = await refuseImport(await openFetchingHost(), { source: { url } }, 'DOWNLOAD_FAILED');
    expect(error.message).toContain('certificate is not trusted');
  });
});

describe('redirects', () => {
  it('five are followed, and credentials stay with their server', async () => {
    const { host, mirror, content } = await open();
    const other = await startMirror(certificate);
    const end = other.put('/disk.qcow2', content);
    mirror.put('/4', { content, answers: [{ redirect: end }] });
    for (const step of [0, 1, 2, 3])
      mirror.put(`/${step}`, { content, answers: [{ redirect: `/${step + 1}` }] });
    const { image } = await importTelling(host, { source: { url: mirror.url('/0', 'joe:secret@') } });
    expect(image.sha256).toBe(sha256(content));
    expect(image.source).toBe(mirror.url('/0'));
    expect(mirror.requests.every((request) => request.authorization !== undefined)).toBe(true);
    expect(other.requests[0]?.authorization).toBeUndefined();
  });

  it('a loop ends', async () => {
    const { host, mirror, content } = await open();
    mirror.put('/a', { content, answers: [{ redirect: '/b' }] });
    mirror.put('/b', { content, answers: [{ redirect: '/a' }] });
    const error = await refuseImport(host, { source: { url: mirror.url('/a') } }, 'DOWNLOAD_FAILED');
    expect(error.message).toContain('more than 5 times');
    expect(mirror.requests).toHaveLength(6);
  });

  it.each([true, false])('never from https to http, also when http is allowed (%s)', async (allowHttp) => {
    const { host, mirror, content } = await open();
    const plain = await startMirror();
    const url = mirror.put('/a', { content, answers: [{ redirect: plain.put('/disk', content) }] });
    const error = await refuseImport(host, { source: { url, allowHttp } }, 'DOWNLOAD_FAILED');
    expect(error.message).toContain('from https to http');
    expect(plain.requests).toEqual([]);
  });

  it.each(['file:///etc/passwd', 'ftp://127.0.0.1/x', 'https://'])('never to %s', async (redirect) => {
    const { host, mirror, content } = await open();
    const url = mirror.put('/a', { content, answers: [{ redirect }] });
    await refuseImport(host, { source: { url } }, 'DOWNLOAD_FAILED');
  });
});

describe('a connection that breaks', () => {
  it('is resumed where it broke, as often as it takes', async () => {
    const { host, mirror, content } = await open();
    const url = mirror.put('/disk.qcow2', {
      content,
      answers: [{ breakAfter: 300_000 }, { breakAfter: 300_000 }, { status: 503 }, 'whole'],
    });
    const { image, notices } = await importTelling(host, { source: { url } });
    expect(image.sha256).toBe(sha256(content));
    const ranges = mirror.requests.map(({ range }) => Number(/\d+/.exec(range ?? '0')?.[0]));
    expect(ranges[0]).toBe(0);
    expect(ranges[1]).toBeGreaterThan(0);
    expect(ranges[2]).toBeGreaterThan(ranges[1] ?? 0);
    expect(ranges[3]).toBe(ranges[2]);
    expect(mirror.requests[1]?.ifRange).toMatch(/^"/);
    expect(notices.filter((notice) => notice.includes('trying again'))).toHaveLength(3);
  });

  it('is resumed by Last-Modified where the ETag is weak', async () => {
    const { host, mirror, content } = await open();
    const lastModified = 'Thu, 01 Jan 2026 00:00:00 GMT';
    const answers = [{ breakAfter: 300_000 }, 'whole'] as const;
    const url = mirror.put('/disk.qcow2', { content, etag: 'W/"1"', lastModified, answers });
    expect((await importTelling(host, { source: { url } })).image.sha256).toBe(sha256(content));
    expect(mirror.requests[1]?.ifRange).toBe(lastModified);
  });

  it('begins anew where the server refuses a range, or gives nothing to know the file by', async () => {
    for (const manners of [{ ranges: false }, { etag: null }]) {
      const { host, mirror, content } = await open();
      const answers = [{ breakAfter: 300_000 }, 'whole'] as const;
      const url = mirror.put('/disk.qcow2', { content, ...manners, answers });
      const { image, notices } = await importTelling(host, { source: { url } });
      expect(image.sha256).toBe(sha256(content));
      expect(await sha256Of(host.home.image(image.id).file('qcow2'))).toBe(image.sha256);
      expect(notices.join('\n')).toContain('from its beginning again');
    }
  });

  it('begins anew where the file has changed in between, and keeps nothing of the old one', async () => {
    const { host, mirror, content } = await open();
    const changed = await readFile(await makeImageFile(host.directory, 'qcow2', { seed: 7, dataBytes: mib }));
    expect(changed.length).toBeLessThan(content.length);
    const url = mirror.put('/disk.qcow2', {
      content,
      answers: [{ breakAfter: 2_000_000 }, { become: { content: changed } }],
    });
    const { image } = await importTelling(host, { source: { url } });
    expect(image).toMatchObject({ sha256: sha256(changed), sizeBytes: changed.length });
    expect(await sha256Of(host.home.image(image.id).file('qcow2'))).toBe(image.sha256);
  });

  it('gives up a file that changes each time', async () => {
    const { host, mirror, content } = await open();
    const url = mirror.put('/disk.qcow2', { content, ranges: false, answers: [{ breakAfter: 300_000 }] });
    const error = await refuseImport(host, { source: { url } }, 'DOWNLOAD_FAILED');
    expect(error.message).toContain('begun 4 times');
  });

  it('gives up after five tries in a row that come to nothing', async () => {
    const { host, mirror, content } = await open();
    const url = mirror.put('/disk.qcow2', { content, answers: [{ status: 500 }] });
    const error = await refuseImport(host, { source: { url } }, 'DOWNLOAD_FAILED');
    expect(error.message).toContain('the server answers 500, 6 times in a row');
    expect(mirror.requests).toHaveLength(6);
  });

  it('does not try a refusal again', async () => {
    const { host, mirror, content } = await open();
    for (const status of [400, 401, 403, 404, 410]) {
      const path = `/${status}`;
      const url = mirror.put(path, { content, answers: [{ status }] });
      const error = await refuseImport(host, { source: { url } }, 'DOWNLOAD_FAILED');
      expect(error.details).toMatchObject({ status });
      expect(mirror.requestsOf(path)).toHaveLength(1);
    }
  });

  it('a stalled one is given up and resumed', async () => {
    const { host, mirror, content } = await open();
    const url = mirror.put('/disk.qcow2', { content, answers: [{ stallAfter: 300_000 }, 'whole'] });
    const { image, notices } = await importTelling(host, { source: { url } });
    expect(image.sha256).toBe(sha256(content));
    expect(notices[0]).toContain('nothing came for');
    expect(mirror.requests[1]?.range).toBeDefined();
  });

  it('a server that never answers', async () => {
    const { host, mirror, content } = await open();
    const url = mirror.put('/disk.qcow2', { content, answers: [{ stallAfter: 0 }] });
    const error = await refuseImport(host, { source: { url } }, 'DOWNLOAD_FAILED');
    expect(error.message).toContain('nothing came');
  });

  it('a truncated file that the server takes for whole is refused', async () => {
    const { host, mirror, content } = await open();
    const url = mirror.put('/disk.qcow2', content.subarray(0, 1_000_000));
    await refuseImport(host, { source: { url } }, 'IMAGE_TRUNCATED', 'IMAGE_CORRUPT');
    const verification = { sha256: sha256(content) };
    await refuseImport(host, { source: { url }, verification }, 'IMAGE_DIGEST_MISMATCH');
  });

  it('a server that is not there', async () => {
    const host = await openFetchingHost();
    const mirror = await startMirror();
    const url = mirror.url('/disk');
    await mirror.close();
    const error = await refuseImport(host, { source: { url, allowHttp: true } }, 'DOWNLOAD_FAILED');
    expect(error.message).toContain('refuses connections');
  });

  it('an interruption ends it at once, and leaves nothing', async () => {
    const { host, mirror, content } = await open();
    const url = mirror.put('/disk.qcow2', { content, answers: [{ stallAfter: 300_000 }] });
    const controller = new AbortController();
    const before = await listTree(host.home.root);
    const importing = importImageFile(
      { ...host, fetching: { ...host.fetching, idleMs: 60_000 } },
      { source: { url }, name: 'cut' },
      {
        signal: controller.signal,
        onEvent: (event) => {
          if (event.type === 'step-progress' && (event.doneBytes ?? 0) >= 300_000) controller.abort();
        },
      },
    );
    await expectRefusal(importing, 'INTERRUPTED');
    expect((await listTree(host.home.root)).filter((path) => !/^(images|locks)\/$/.test(path))).toEqual(
      before,
    );
  });
});

describe('a digest that was given', () => {
  it('is that of the file as it comes', async () => {
    const { host, mirror, content } = await open();
    const url = mirror.put('/disk.qcow2', content);
    for (const verification of [
      { sha256: sha256(content).toUpperCase() },
      { sha512: sha512(content) },
      { sha256: sha256(content), sha512: sha512(content) },
    ]) {
      const { image, notices } = await importTelling(host, { source: { url }, verification });
      expect(image.verified).toMatchObject({ by: 'digest' });
      expect(notices).toEqual([]);
    }
  });

  it.each(['sha256', 'sha512'] as const)(
    'another %s is refused, for a URL, a file and a stream',
    async (algorithm) => {
      const { host, mirror, content } = await open();
      const digest = { sha256, sha512 }[algorithm](Buffer.from('another'));
      const verification = { [algorithm]: digest };
      const path = join(host.directory, 'disk');
      await writeFile(path, content);
      for (const source of [
        { url: mirror.put('/disk.qcow2', content) },
        { path },
        { stream: createReadStream(path) as AsyncIterable<Uint8Array>, displayName: 'standard input' },
      ]) {
        const error = await refuseImport(host, { source, verification }, 'IMAGE_DIGEST_MISMATCH');
        expect(error.details).toMatchObject({ algorithm, expected: digest });
      }
    },
  );

  it('that is no digest is refused before anything is read', async () => {
    const { host, mirror, content } = await open();
    const url = mirror.put('/disk.qcow2', content);
    await refuseImport(host, { source: { url }, verification: { sha256: 'abc' } }, 'ARGUMENT_INVALID');
    expect(mirror.requests).toEqual([]);
  });
});
