import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { execa } from 'execa';
import { expect, onTestFinished } from 'vitest';
import { LaunchError, type LaunchErrorCode } from '../../src/host/launch-error.js';
import type { ImageRecord } from '../../src/image/image-record.js';
import type { ImportRequest } from '../../src/image/import-image.js';
import { importImageFile } from '../../src/instance/images/image-verbs.js';
import { openHost, type Host } from '../../src/instance/open-host.js';
import type { DiskFormat } from '../../src/qemu-img/disk-format.js';
import { FakeHypervisor } from './fake-hypervisor.js';
import { FaultyRunner } from './faulty-runner.js';

export const mib = 1024 ** 2;
export const gib = 1024 ** 3;

/** Of nobody: its private part is thrown away. */
export const samplePublicKey =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA+Cfpl4/cTEVRBq96j9x5OhggqH1OKJfbAJjBaJd8Ic tester@example';

/** A Host with real qemu-img and a libvirt in memory, on a home that does not exist yet. */
export interface IntegrationHost extends Host {
  readonly hypervisor: FakeHypervisor;
  readonly runner: FaultyRunner;
  /** Temporary; the home lies in it, and a test's own files may. Removed when the test is done. */
  readonly directory: string;
}

/** A directory that goes with the test, or with `scope` where there is no single test. */
export async function makeTemporaryDirectory(
  scope: (remove: () => Promise<void>) => void = onTestFinished,
): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'launch-itg-'));
  scope(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export async function openIntegrationHost(
  options: { readonly directory?: string; readonly instanceNameTemplate?: string } = {},
): Promise<IntegrationHost> {
  const directory = options.directory ?? (await makeTemporaryDirectory());
  const hypervisor = new FakeHypervisor();
  const runner = new FaultyRunner();
  const sshDirectory = join(directory, 'ssh');
  await mkdir(sshDirectory, { recursive: true });
  await writeFile(join(sshDirectory, 'id_ed25519.pub'), samplePublicKey);
  let seconds = 0;
  const host = openHost({
    home: join(directory, 'home'),
    hypervisor,
    runner,
    instanceNameTemplate: options.instanceNameTemplate ?? 'itg-%08x',
    user: { name: 'tester', sshDirectory, sshAgentSocket: undefined },
    // Each look at the clock is a second later, so that the order of records is certain.
    now: () => new Date(Date.UTC(2026, 0, 1) + (seconds += 1) * 1000),
  });
  return { ...host, hypervisor, runner, directory };
}

/** Content that does not compress, the same for the same seed. */
export function noise(lengthBytes: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(lengthBytes);
  let state = seed;
  for (let at = 0; at + 4 <= lengthBytes; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes.writeUInt32LE(state, at);
  }
  return bytes;
}

/** A raw disk with content at its start and its end, and a hole between. */
export async function makeRawDisk(
  path: string,
  options: { readonly virtualSizeBytes?: number; readonly dataBytes?: number; readonly seed?: number } = {},
): Promise<string> {
  const { virtualSizeBytes = 32 * mib, dataBytes = 2 * mib, seed = 1 } = options;
  const handle = await open(path, 'wx');
  try {
    const content = noise(dataBytes, seed);
    // What starts as a boot sector is nobody's signature.
    content.fill(0, 0, 16);
    await handle.write(content, 0, dataBytes, 0);
    await handle.truncate(virtualSizeBytes);
    await handle.write(Buffer.from('the end'), 0, 7, virtualSizeBytes - 7);
  } finally {
    await handle.close();
  }
  return path;
}

/** An image as qemu-img makes it, of the content of `makeRawDisk`. */
export async function makeImageFile(
  directory: string,
  format: DiskFormat,
  options: {
    readonly virtualSizeBytes?: number;
    readonly dataBytes?: number;
    readonly seed?: number;
    readonly creation?: string;
  } = {},
): Promise<string> {
  const raw = join(directory, `source-${createHash('sha1').update(JSON.stringify(options)).digest('hex')}`);
  const path = join(directory, `disk.${format}`);
  await makeRawDisk(raw, options);
  const creation = options.creation === undefined ? [] : ['-o', options.creation];
  await execa('qemu-img', ['convert', '-f', 'raw', '-O', format, ...creation, raw, path]);
  await rm(raw);
  return path;
}

/** Imports a small qcow2 called `tiny`. */
export async function importTiny(
  host: IntegrationHost,
  request: Partial<Omit<ImportRequest, 'source' | 'createdAt'>> & {
    readonly virtualSizeBytes?: number;
    readonly dataBytes?: number;
    readonly seed?: number;
  } = {},
): Promise<ImageRecord> {
  const { virtualSizeBytes, dataBytes, seed, ...rest } = request;
  const directory = await mkdtemp(join(host.directory, 'image-'));
  const path = await makeImageFile(directory, 'qcow2', {
    ...(virtualSizeBytes === undefined ? {} : { virtualSizeBytes }),
    ...(dataBytes === undefined ? {} : { dataBytes }),
    ...(seed === undefined ? {} : { seed }),
  });
  const image = await importImageFile(host, { source: { path }, name: 'tiny', ...rest });
  await rm(directory, { recursive: true });
  return image;
}

/** Paths of all that lies below a directory, directories with a slash at the end; none when it is missing. */
export async function listTree(root: string): Promise<readonly string[]> {
  return (await snapshotTree(root)).map((line) => line.split('\t')[0] ?? '');
}

/** As `listTree`, each with mode, size, time and inode: equal only when nothing was touched. */
export async function snapshotTree(root: string): Promise<readonly string[]> {
  const lines: string[] = [];
  const visit = async (directory: string): Promise<void> => {
    const names = await readdir(directory).catch((error: unknown) => {
      if (directory === root) return [];
      throw error;
    });
    for (const name of names) {
      const path = join(directory, name);
      const found = await lstat(path, { bigint: true });
      const shown = relative(root, path) + (found.isDirectory() ? '/' : '');
      lines.push([shown, found.mode.toString(8), found.size, found.mtimeNs, found.ino].join('\t'));
      if (found.isDirectory()) await visit(path);
    }
  };
  await visit(root);
  return lines.sort();
}

/**
 * What a failed verb may leave in a home: the directories of the house, the counter, finished bases with
 * their records, and the locks of images. All else is listed.
 */
export async function listLitter(host: Host, before: readonly string[] = []): Promise<readonly string[]> {
  const allowed = [
    /^(images|instances|locks|instances\/_base)\/$/,
    /^instances\/counter\.json$/,
    /^instances\/_base\/[0-9a-f]{40}(_\d+)?(\.json)?$/,
    /^locks\/image-[0-9a-f-]{36}\.lock$/,
  ];
  const known = new Set(before);
  return (await listTree(host.home.root)).filter(
    (path) => !known.has(path) && !allowed.some((pattern) => pattern.test(path)),
  );
}

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** What `qemu-img info` says, in QEMU's own words. */
export async function qemuImgInfo(path: string, format: string): Promise<Readonly<Record<string, unknown>>> {
  const { stdout } = await execa('qemu-img', ['info', '-f', format, '--output=json', path]);
  return JSON.parse(stdout) as Readonly<Record<string, unknown>>;
}

/** Waits for the refusal and gives it, for what else is to be said about it. */
export async function expectRefusal(
  promise: Promise<unknown>,
  ...codes: readonly LaunchErrorCode[]
): Promise<LaunchError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error, 'it was not refused').toBeDefined();
  if (!(error instanceof LaunchError)) throw error;
  expect(codes, error.message).toContain(error.code);
  return error;
}
