import { open } from 'node:fs/promises';
import { checkFreeSpace } from '../host/file-system.js';
import { LaunchError } from '../host/launch-error.js';
import { checkInterrupted } from '../host/work.js';
import { tryClone } from './clone-file.js';
import { Digests } from './digests.js';
import { RestartNeeded } from './fetch/download.js';
import type { OpenSource } from './image-source.js';
import { interruptible } from './interruptible.js';
import { guardSpace } from './space-guard.js';
import { copySparse } from './sparse-copy.js';
import type { TakeInOptions, TakenFile } from './taken-file.js';
import { witnessSignature, type SignatureWitness } from './trust/signature.js';
import { Box, OtherDiskMeant } from './unpack/box.js';
import { ChunkReader } from './unpack/chunk-reader.js';
import { decompress, detectCompression, headLength } from './unpack/compression.js';
import { isTarHeader } from './unpack/tar-header.js';

const maximumRestarts = 3;
const maximumBytes = 64 * 1024 ** 4;

/**
 * Reads a source once, front to back: digest and signature, decompression, digest, sparse file. A file of the same file
 * system is cloned where that works.
 *
 * @param target a path that is made, or written anew; read-only and synced at the end
 * @throws LaunchError DISK_FULL, IMAGE_TOO_LARGE, IMAGE_CORRUPT, IMAGE_ARCHIVE_INVALID,
 * IMAGE_SIGNATURE_INVALID, DOWNLOAD_FAILED, INTERRUPTED
 */
export async function takeIn(source: OpenSource, target: string, options: TakeInOptions): Promise<TakenFile> {
  const cloned = await tryClone(source, target, options);
  if (cloned !== undefined) return cloned;
  let { boxDisk } = options;
  for (let restarts = 0; ; restarts += 1) {
    // Ends what still waits for the source when a later stage fails.
    const closing = new AbortController();
    const { signal: interrupted } = options.work;
    const signal =
      interrupted === undefined ? closing.signal : AbortSignal.any([interrupted, closing.signal]);
    const { signature } = options;
    // A new one each time: it reads the file from its beginning.
    const witness = signature === undefined ? undefined : await witnessSignature(signature, interrupted);
    try {
      return await readOnce(source, target, signal, { ...options, boxDisk, witness });
    } catch (error) {
      if (!(error instanceof RestartNeeded)) throw error;
      if (error instanceof OtherDiskMeant) {
        // Standard input comes only once.
        if (!source.isRemote && source.file === undefined) throw error.refusal;
        boxDisk = error.disk;
      }
      if (restarts === maximumRestarts) {
        throw new LaunchError(
          'DOWNLOAD_FAILED',
          `cannot download "${source.origin}": begun ${maximumRestarts + 1} times, the last time in vain because ${error.message}`,
          { cause: error },
        );
      }
      options.work.onEvent?.({
        type: 'notice',
        message: `reading "${source.displayName}" from its beginning again: ${error.message}`,
      });
    } finally {
      closing.abort();
      await witness?.leave();
    }
  }
}

async function readOnce(
  source: OpenSource,
  target: string,
  signal: AbortSignal,
  options: TakeInOptions & { readonly witness: SignatureWitness | undefined },
): Promise<TakenFile> {
  let totalBytes: number | undefined;
  const came = new Digests(options.algorithms);
  const stream = source.read({
    signal,
    onLength: (bytes) => {
      totalBytes = bytes;
    },
    onRetry: (reason, delayMs) => {
      const message = `"${source.displayName}": ${reason}; trying again in ${Math.ceil(delayMs / 1000)} s`;
      options.work.onEvent?.({ type: 'notice', message });
    },
  });
  const reader = new ChunkReader(
    tapped(interruptible(stream, signal), async (chunk) => {
      came.add(chunk);
      await options.witness?.add(chunk);
      options.progress('reading', came.lengthBytes, totalBytes);
    }),
  );
  const compression = detectCompression(await reader.peek(headLength));
  const { displayName } = source;
  const content =
    compression === undefined
      ? reader
      : new ChunkReader(decompress(reader.remaining(), compression, { displayName, signal }));
  const box = isTarHeader(await content.peek(headLength))
    ? new Box(content, displayName, options.boxDisk)
    : undefined;
  if (options.boxDisk !== undefined && box === undefined) {
    throw new LaunchError(
      'ARGUMENT_INVALID',
      `"${displayName}" is no Vagrant box, so it has no disks to choose from`,
    );
  }
  if (compression === undefined && box === undefined && source.file !== undefined) {
    await checkFreeSpace(options.directory, source.file.allocatedBytes, 'import the image');
  }
  const isSame = compression === undefined && box === undefined;
  const stored = isSame ? came : new Digests();
  await writeSparse(box?.disk() ?? content.remaining(), target, displayName, options, (chunk) => {
    checkInterrupted(options.work);
    if (!isSame) stored.add(chunk);
  });
  if (box !== undefined) tellOtherDisks(source, box.otherDisks, options);
  const cameResult = came.result();
  return {
    came: cameResult,
    stored: isSame ? cameResult : stored.result(),
    compression,
    isBox: box !== undefined,
    reflinked: false,
    declaredFormat: box?.declaredFormat,
    signedBy: await options.witness?.end(),
  };
}

function tellOtherDisks(source: OpenSource, names: readonly string[], options: TakeInOptions): void {
  if (names.length === 0) return;
  const listed = names.map((name) => JSON.stringify(name)).join(', ');
  const message = `"${source.displayName}" has more disks, which are not part of this image: ${listed}; each can be imported with --box-disk`;
  options.work.onEvent?.({ type: 'notice', message });
}

async function writeSparse(
  content: AsyncIterable<Uint8Array>,
  target: string,
  displayName: string,
  options: TakeInOptions,
  onChunk: (chunk: Buffer) => void,
): Promise<void> {
  // Written anew when the source has to be read again.
  const handle = await open(target, 'w', 0o644);
  try {
    await copySparse(
      content,
      handle,
      (chunk, doneBytes) => {
        if (doneBytes > maximumBytes) throw tooLarge(displayName);
        onChunk(chunk);
      },
      guardSpace(options.directory, `import "${displayName}"`),
    );
    await handle.sync();
    await handle.chmod(0o444);
  } finally {
    await handle.close();
  }
}

async function* tapped(
  stream: AsyncIterable<Uint8Array>,
  onChunk: (chunk: Uint8Array) => Promise<void>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of stream) {
    await onChunk(chunk);
    yield chunk;
  }
}

function tooLarge(displayName: string): LaunchError {
  return new LaunchError('IMAGE_TOO_LARGE', `refused "${displayName}": it is larger than 64 TiB`, {
    hint: 'no image is so large: it is made to fill disks',
  });
}
