import { chmod, open, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { execa } from 'execa';
import { describe, expect, it, vi } from 'vitest';
import { baseName, findBase } from '../../src/disk/base-record.js';
import { digestRawDisk } from '../../src/disk/digest.js';
import { ensureBase, type BaseOptions } from '../../src/disk/ensure-base.js';
import { asMaker } from '../../src/host/maker.js';
import { getImage } from '../../src/image/image-store.js';
import { startInstance, stopInstance } from '../../src/instance/change-state.js';
import { launchInstance } from '../../src/instance/launch-instance.js';
import { listInstances } from '../../src/instance/list-instances.js';
import type { LaunchRequest } from '../../src/instance/plan-launch.js';
import { Child, compileForSuite, makeQemuImgShim } from '../support/child-process.js';
import {
  expectRefusal,
  gib,
  importTiny,
  listLitter,
  listTree,
  mib,
  openIntegrationHost,
  type IntegrationHost,
} from '../support/integration-host.js';

const request: LaunchRequest = { image: 'tiny', flavor: 'm1.tiny', virtType: 'qemu' };

async function ensure(
  host: IntegrationHost,
  diskGib: number,
  options: Partial<BaseOptions> = {},
): Promise<{ readonly origin: string; readonly path: string }> {
  const image = await getImage(host.home, 'tiny');
  return await asMaker(host.home, async (maker) => {
    const now = host.now();
    const ensured = await ensureBase(host.home, image, diskGib, host.qemuImg, { maker, now, ...options });
    await ensured.lock.release();
    return ensured;
  });
}

const waiting = { timeout: 60_000, interval: 20 } as const;

describe('invariant 3: however many ask for a base at once, one converts', () => {
  const compiled = compileForSuite();

  it('12 in one process, who see the progress of the one', async () => {
    const host = await openIntegrationHost();
    await importTiny(host, { dataBytes: 24 * mib });
    const told = Array.from({ length: 12 }, () => new Set<string>());
    const ensured = await Promise.all(
      told.map((messages) => ensure(host, 1, { onProgress: (message) => messages.add(message) })),
    );
    expect(ensured.map(({ origin }) => origin).sort()).toEqual([
      'converted',
      ...Array.from({ length: 11 }, () => 'found'),
    ]);
    expect(new Set(ensured.map(({ path }) => path)).size).toBe(1);
    expect(host.runner.countOf('convert')).toBe(1);
    const waited = told.filter((messages) => [...messages].some((message) => message.startsWith('waiting')));
    expect(waited.length).toBeGreaterThan(0);
    const words = new Set(waited.flatMap((messages) => [...messages]));
    expect(words).toContain(`waiting: process ${process.pid} is converting tiny to raw`);
    expect(await listLitter(host, await listTree(host.home.images))).toEqual([
      ...(await listTree(host.home.images)).map((path) => `images/${path}`),
    ]);
  });

  it('50 processes, each of which shows how far the one is', async () => {
    const host = await openIntegrationHost();
    const image = await importTiny(host, { virtualSizeBytes: 128 * mib, dataBytes: 96 * mib });
    const before = await listTree(host.home.root);
    const shim = await makeQemuImgShim(host.directory, { convertBytesPerSecond: 16 * mib });
    const verb = { verb: 'prefetch', image: 'tiny', flavor: 'm1.tiny' } as const;
    const children = Array.from({ length: 50 }, () => {
      return new Child(compiled.script, host.home.root, verb, { environment: shim.environment });
    });
    await Promise.all(children.map((child) => child.ready()));
    for (const child of children) child.go();
    const ended = Promise.all(children.map((child) => child.end()));
    const shownBy = (child: Child, words: string) =>
      child.messages.flatMap((message) =>
        message.type === 'event' &&
        message.event.type === 'step-progress' &&
        message.event.message.startsWith(words) &&
        message.event.totalBytes !== undefined
          ? [message.event.doneBytes ?? 0]
          : [],
      );
    // The one that converts is stopped until all others have seen that it does, however busy the machine is.
    const isBegun = () => children.some((child) => shownBy(child, 'converting tiny').length > 0);
    const pid = await vi.waitUntil(async () => (isBegun() ? await shim.convertPid() : undefined), waiting);
    process.kill(pid, 'SIGSTOP');
    const one = children.find((child) => shownBy(child, 'converting tiny to raw').length > 0);
    const waitingFor = `waiting: process ${one?.pid ?? 0} is converting tiny to raw`;
    const others = children.filter((child) => child !== one);
    await vi
      .waitUntil(() => others.every((child) => shownBy(child, waitingFor).length > 0), waiting)
      .finally(() => process.kill(pid, 'SIGCONT'));
    const results = (await ended) as readonly { readonly origin: string; readonly digest: string }[];
    expect(results.map(({ origin }) => origin).sort()).toEqual([
      'converted',
      ...Array.from({ length: 49 }, () => 'found'),
    ]);
    expect(results[children.findIndex((child) => child === one)]?.origin).toBe('converted');
    expect(new Set(results.map(({ digest }) => digest)).size).toBe(1);
    expect(await shim.countOf('convert')).toBe(1);
    // They saw it move, too; who got no turn meanwhile did not.
    const saw = others.filter((child) => new Set(shownBy(child, waitingFor)).size > 1);
    expect(saw.length).toBeGreaterThan(25);
    expect(await listLitter(host, before)).toEqual([]);
    const base = host.home.base(baseName(image.id, 1)).file;
    expect(await digestRawDisk(base, host.qemuImg)).toBe(results[0]?.digest);
  }, 300_000);

  it('sizes at once cost one conversion between them', async () => {
    const host = await openIntegrationHost();
    await importTiny(host, { dataBytes: 8 * mib });
    const ensured = await Promise.all([0, 1, 2, 20, 1, 0].map((diskGib) => ensure(host, diskGib)));
    expect(host.runner.countOf('convert')).toBe(1);
    expect(ensured.filter(({ origin }) => origin === 'converted')).toHaveLength(1);
  });

  it('two images at once do not wait for each other', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    await importTiny(host, { name: 'other', seed: 2 });
    const told: string[] = [];
    const other = await getImage(host.home, 'other');
    await Promise.all([
      ensure(host, 1),
      asMaker(host.home, async (maker) => {
        const onProgress = (message: string) => told.push(message);
        const options = { maker, now: host.now(), onProgress };
        await (await ensureBase(host.home, other, 1, host.qemuImg, options)).lock.release();
      }),
    ]);
    expect(told.filter((message) => message.startsWith('waiting'))).toEqual([]);
    expect(host.runner.countOf('convert')).toBe(2);
  });

  it('who waits goes on when the one that converts fails', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    // The 1st command is the image's map, the 2nd its conversion.
    host.runner.failAt(2);
    const results = await Promise.allSettled(Array.from({ length: 4 }, () => ensure(host, 1)));
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    const origins = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.origin] : []));
    expect(origins.sort()).toEqual(['converted', 'found', 'found']);
  });
});

describe('invariant 1: a base is never written again', () => {
  it('it is read-only, sparse, and its record has its digest', async () => {
    const host = await openIntegrationHost();
    const image = await importTiny(host);
    const { path } = await ensure(host, 20);
    const found = await stat(path);
    expect(found.mode & 0o777).toBe(0o444);
    expect(found.size).toBe(20 * gib);
    expect(found.blocks * 512).toBeLessThan(4 * mib);
    expect(await findBase(host.home, baseName(image.id, 20))).toMatchObject({
      imageId: image.id,
      imageSha256: image.sha256,
      virtualSizeBytes: 20 * gib,
      digest: await digestRawDisk(path, host.qemuImg),
      made: 'converted',
    });
  });

  it('a base of its own size has the digest of the grown one', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const grown = await ensure(host, 3);
    const other = await openIntegrationHost();
    await importTiny(other);
    const own = await ensure(other, 0);
    expect(await digestRawDisk(own.path, host.qemuImg)).toBe(await digestRawDisk(grown.path, host.qemuImg));
  });

  it('what instances do, and a second launch, leave it untouched', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const { basePath, diskPath } = await launchInstance(host, request);
    const before = await stat(basePath, { bigint: true });
    const digest = await digestRawDisk(basePath, host.qemuImg);
    await execa('qemu-io', ['-f', 'qcow2', '-c', 'write -P 7 0 1M', diskPath]);
    await launchInstance(host, request);
    const after = await stat(basePath, { bigint: true });
    expect([after.ino, after.mtimeNs, after.ctimeNs]).toEqual([before.ino, before.mtimeNs, before.ctimeNs]);
    expect(await digestRawDisk(basePath, host.qemuImg)).toBe(digest);
  });
});

describe('invariant 6: nothing starts on a base that is not what it was', () => {
  async function flipByte(path: string, position: number): Promise<void> {
    await chmod(path, 0o644);
    const handle = await open(path, 'r+');
    try {
      const byte = Buffer.alloc(1);
      await handle.read(byte, 0, 1, position);
      byte.writeUInt8(byte.readUInt8(0) ^ 1);
      await handle.write(byte, 0, 1, position);
    } finally {
      await handle.close();
    }
    await chmod(path, 0o444);
  }

  it.each([
    ['in its content', mib],
    ['in a hole', 20 * mib],
    ['at its very end', gib - 1],
  ])('a byte that was flipped %s', async (_, position) => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const { basePath, instance } = await launchInstance(host, request);
    await stopInstance(host, instance.domainName, { timeoutMs: 0 });
    const before = await listTree(host.home.root);
    await flipByte(basePath, position);
    for (const attempt of [
      () => launchInstance(host, request),
      () => launchInstance(host, { ...request, cow: false }),
      () => startInstance(host, instance.domainName),
    ]) {
      const error = await expectRefusal(attempt(), 'BASE_CHANGED');
      expect(error.details).toMatchObject({ path: basePath });
    }
    expect(await listLitter(host, before)).toEqual([]);
    expect((await listInstances(host)).map(({ domainState }) => domainState)).toEqual(['shut off']);
    // The way back: what was flipped is flipped back, and the digest says so.
    await flipByte(basePath, position);
    await startInstance(host, instance.domainName);
  });

  it('a base that is shared with another size is looked at too', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const { basePath } = await launchInstance(host, request);
    await flipByte(basePath, mib);
    await expectRefusal(launchInstance(host, { ...request, flavor: 'm1.small' }), 'BASE_CHANGED');
  });

  it('a base that grew, shrank, or was replaced by a copy', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const { basePath } = await launchInstance(host, request);
    await chmod(basePath, 0o644);
    for (const lengthBytes of [gib + 512, gib - 512]) {
      const handle = await open(basePath, 'r+');
      await handle.truncate(lengthBytes);
      await handle.close();
      await expectRefusal(launchInstance(host, request), 'BASE_CHANGED');
    }
    const handle = await open(basePath, 'r+');
    await handle.truncate(gib);
    await handle.close();
    await launchInstance(host, request);
  });

  it('a base that was only touched is read again once, and then trusted', async () => {
    const host = await openIntegrationHost();
    const image = await importTiny(host);
    const { basePath } = await launchInstance(host, request);
    const first = await findBase(host.home, baseName(image.id, 1));
    await utimes(basePath, 1, 1);
    const maps = host.runner.countOf('map');
    await launchInstance(host, request);
    expect(host.runner.countOf('map')).toBe(maps + 1);
    const second = await findBase(host.home, baseName(image.id, 1));
    expect(second?.seen.modifiedNs).toBe('1000000000');
    expect(second?.verifiedAt).not.toBe(first?.verifiedAt);
    await launchInstance(host, request);
    expect(host.runner.countOf('map')).toBe(maps + 1);
  });

  it('a base without its record, or with one that nobody can read', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const { basePath, instance } = await launchInstance(host, request);
    await stopInstance(host, instance.domainName, { timeoutMs: 0 });
    const record = await readFile(`${basePath}.json`, 'utf8');
    await writeFile(`${basePath}.json`, record.slice(0, 100));
    await expectRefusal(startInstance(host, instance.domainName), 'RECORD_INVALID');
    await expectRefusal(launchInstance(host, request), 'RECORD_INVALID');
    await writeFile(`${basePath}.json`, record);
    await startInstance(host, instance.domainName);
  });

  it("a base whose record is gone is not made anew under an instance's feet", async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const { basePath } = await launchInstance(host, request);
    const before = await stat(basePath, { bigint: true });
    const expectUntouched = async () => {
      expect((await stat(basePath, { bigint: true })).ino).toBe(before.ino);
    };
    // It is what the image still makes: it gets its record back.
    await rm(`${basePath}.json`);
    await launchInstance(host, request);
    await expectUntouched();
    // It is not: nothing starts on it.
    await rm(`${basePath}.json`);
    await flipByte(basePath, mib);
    await expectRefusal(launchInstance(host, request), 'BASE_CHANGED');
    await expectUntouched();
  });
});
