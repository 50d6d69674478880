import { createHash } from 'node:crypto';
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, open, rename, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { moveIntoPlace, removeTree, ensureDirectory, fileExists, writeFileAtomic } from '../host/files.js';
import { checkFreeSpace } from '../host/file-system.js';
import { LaunchError } from '../host/launch-error.js';
import type { Maker } from '../host/maker.js';
import { checkName, checkUuid } from '../host/names.js';
import type { HomePaths } from '../host/paths.js';
import { renderRecord } from '../host/record.js';
import { errnoOf, fileSystemError } from '../host/system-error.js';
import { formatBytes } from '../host/units.js';
import { checkInterrupted, interruptedError, runStep, type Work } from '../host/work.js';
import type { DiskFormat } from '../qemu-img/disk-format.js';
import type { QemuImg } from '../qemu-img/qemu-img.js';
import { inspectHeader, type HeaderReport } from './header/inspect-header.js';
import type { ImageRecord } from './image-record.js';
import { copySparse } from './sparse-copy.js';

/** A file by its path, or bytes as they come, with what to call them. */
export type ImageSource =
  { readonly path: string } | { readonly stream: AsyncIterable<Uint8Array>; readonly displayName: string };

export interface ImportRequest {
  readonly source: ImageSource;
  readonly name: string;
  /** Refused when the header says otherwise. */
  readonly format?: DiskFormat | undefined;
  readonly id?: string | undefined;
  readonly properties?: Readonly<Record<string, string>> | undefined;
  readonly minDiskGib?: number | undefined;
  readonly minRamMib?: number | undefined;
  readonly createdAt: Date;
}

/**
 * Takes an image into the store: copy and digest in one pass, our own header check, qemu-img's word under
 * limits, then a rename. Until then it has a temporary name; whatever fails leaves nothing.
 *
 * @throws LaunchError IMAGE_* for what is refused, DISK_FULL, NAME_INVALID, PERMISSION_DENIED
 */
export async function importImage(
  home: HomePaths,
  qemuImg: QemuImg,
  request: ImportRequest,
  maker: Maker,
  work: Work = {},
): Promise<ImageRecord> {
  const name = checkName('image', request.name);
  const id = request.id === undefined ? randomUUID() : checkUuid(request.id);
  const paths = home.image(id);
  if (await fileExists(paths.directory)) throw imageExists(id);
  await ensureDirectory(home.images);
  const building = maker.temporaryPath(paths.directory);
  await mkdir(building, { mode: 0o755 }).catch((error: unknown) => {
    throw fileSystemError('make the directory', building, error);
  });
  try {
    const incoming = join(building, 'incoming');
    const displayName = 'path' in request.source ? basename(request.source.path) : request.source.displayName;
    const copied = await runStep(
      work,
      'read',
      `reading ${displayName}`,
      (progress) => readSource(request.source, incoming, home, work, progress),
      (result) =>
        `${formatBytes(result.sizeBytes)}, sha256 ${result.sha256.slice(0, 6)}…${result.sha256.slice(-4)}`,
    );
    const report = await runStep(
      work,
      'inspected',
      'checking the header',
      () => inspectStranger(incoming, displayName, request.format, qemuImg, work),
      (result) => result.description,
    );
    const record: ImageRecord = {
      id,
      name,
      format: report.format,
      sizeBytes: copied.sizeBytes,
      virtualSizeBytes: report.virtualSizeBytes,
      sha256: copied.sha256,
      minDiskGib: request.minDiskGib ?? 0,
      minRamMib: request.minRamMib ?? 0,
      properties: { ...request.properties },
      source: 'path' in request.source ? resolve(request.source.path) : request.source.displayName,
      createdAt: request.createdAt.toISOString(),
    };
    await rename(incoming, join(building, `image.${report.format}`));
    await writeFileAtomic(join(building, 'image.json'), renderRecord(record), maker);
    checkInterrupted(work);
    await moveIntoPlace(building, paths.directory).catch((error: unknown) => {
      const errno = errnoOf(error);
      throw errno === 'ENOTEMPTY' || errno === 'EEXIST' ? imageExists(id) : error;
    });
    return record;
  } catch (error) {
    await removeTree(building);
    throw fileSystemError('import into', home.images, error);
  }
}

/** Reads the stored file again and compares its SHA-256 with the record's. */
export async function verifyImage(
  home: HomePaths,
  image: ImageRecord,
  work: Work = {},
): Promise<{ readonly sha256: string; readonly matches: boolean }> {
  const path = home.image(image.id).file(image.format);
  const hash = createHash('sha256');
  await runStep(
    work,
    'verify',
    `reading ${image.name}`,
    async (progress) => {
      let doneBytes = 0;
      try {
        for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
          checkInterrupted(work);
          hash.update(chunk as Buffer);
          doneBytes += (chunk as Buffer).length;
          progress(`reading ${image.name}`, doneBytes, image.sizeBytes);
        }
      } catch (error) {
        throw fileSystemError('read', path, error);
      }
    },
    () => `${formatBytes(image.sizeBytes)} read`,
  );
  const sha256 = hash.digest('hex');
  return { sha256, matches: sha256 === image.sha256 };
}

async function readSource(
  source: ImageSource,
  target: string,
  home: HomePaths,
  work: Work,
  progress: (message: string, doneBytes: number, totalBytes?: number) => void,
): Promise<{ readonly sizeBytes: number; readonly sha256: string }> {
  const { stream, totalBytes } = await openSource(source);
  if (totalBytes !== undefined) await checkFreeSpace(home.images, totalBytes.allocated, 'import the image');
  const hash = createHash('sha256');
  const handle = await open(target, 'wx', 0o644);
  try {
    const sizeBytes = await copySparse(untilInterrupted(stream, work), handle, (chunk, doneBytes) => {
      checkInterrupted(work);
      hash.update(chunk);
      progress('reading', doneBytes, totalBytes?.length);
    });
    await handle.sync();
    await chmod(target, 0o444);
    return { sizeBytes, sha256: hash.digest('hex') };
  } finally {
    await handle.close();
  }
}

/** Ends with INTERRUPTED at once, also while a stream gives nothing. */
async function* untilInterrupted(
  stream: AsyncIterable<Uint8Array>,
  work: Work,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { signal } = work;
  if (signal === undefined) {
    yield* stream;
    return;
  }
  checkInterrupted(work);
  const iterator = stream[Symbol.asyncIterator]();
  let interrupt: () => void = () => undefined;
  const interrupted = new Promise<never>((_resolve, reject) => {
    interrupt = () => {
      reject(interruptedError(signal));
    };
    signal.addEventListener('abort', interrupt, { once: true });
  });
  // It may abort when nobody waits any more.
  interrupted.catch(() => undefined);
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), interrupted]);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', interrupt);
    // Not awaited: a stream that gives nothing does not end either.
    iterator.return?.().catch(() => undefined);
  }
}

async function openSource(source: ImageSource): Promise<{
  readonly stream: AsyncIterable<Uint8Array>;
  readonly totalBytes: { readonly length: number; readonly allocated: number } | undefined;
}> {
  if (!('path' in source)) return { stream: source.stream, totalBytes: undefined };
  const { path } = source;
  const found = await stat(path).catch((error: unknown) => {
    throw sourceError(path, error);
  });
  if (found.isDirectory()) {
    throw new LaunchError('IMAGE_UNREADABLE', `cannot import "${path}": it is a directory`);
  }
  const stream = createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Uint8Array>;
  return {
    stream: withSourceErrors(stream, path),
    totalBytes: found.isFile() ? { length: found.size, allocated: found.blocks * 512 } : undefined,
  };
}

async function* withSourceErrors(
  stream: AsyncIterable<Uint8Array>,
  path: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* stream;
  } catch (error) {
    throw sourceError(path, error);
  }
}

function sourceError(path: string, error: unknown): Error {
  const errno = errnoOf(error);
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    return new LaunchError('IMAGE_UNREADABLE', `cannot import "${path}": there is no such file`, {
      cause: error,
    });
  }
  return fileSystemError('read', path, error);
}

async function inspectStranger(
  path: string,
  displayName: string,
  declaredFormat: DiskFormat | undefined,
  qemuImg: QemuImg,
  work: Work,
): Promise<HeaderReport> {
  const report = await inspectHeader(path, {
    displayName,
    ...(declaredFormat === undefined ? {} : { declaredFormat }),
  });
  const refuse = (why: string, cause?: unknown) =>
    new LaunchError('IMAGE_CORRUPT', `refused "${displayName}": ${why}`, {
      hint: `try to repair or convert it where it was made:  qemu-img check -f ${report.format} ${displayName}`,
      cause,
    });
  try {
    const second = await qemuImg.inspect(path, report.format, work);
    if (second.backingPath !== undefined || second.encrypted) {
      throw refuse('qemu-img sees a backing file or encryption that the header check did not');
    }
    if (second.virtualSizeBytes !== report.virtualSizeBytes) {
      throw refuse(
        `the header says ${report.virtualSizeBytes} bytes, qemu-img says ${second.virtualSizeBytes} bytes`,
      );
    }
    await qemuImg.check(path, report.format, work);
  } catch (error) {
    if (!(error instanceof LaunchError) || error.code !== 'COMMAND_FAILED') throw error;
    throw refuse(`qemu-img cannot read it as ${report.format}`, error);
  }
  return report;
}

function imageExists(id: string): LaunchError {
  return new LaunchError('IMAGE_EXISTS', `there is already an image with the id ${id}`, {
    hint: `leave --id out for a new one, or remove that one first:  launch image remove ${id}`,
  });
}
