import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { filterThroughCommand } from '../../host/command-filter.js';
import { LaunchError } from '../../host/launch-error.js';
import { errnoOf } from '../../host/system-error.js';

export const compressions = ['gzip', 'xz', 'bzip2', 'zstd'] as const;
export type Compression = (typeof compressions)[number];

/** Bytes that tell every compression, and an archive (tar's magic is at 257). */
export const headLength = 512;

/** By the first bytes; a name can say anything. */
export function detectCompression(head: Buffer): Compression | undefined {
  if (startsWith(head, [0x1f, 0x8b, 0x08])) return 'gzip';
  if (startsWith(head, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])) return 'xz';
  if (startsWith(head, [0x28, 0xb5, 0x2f, 0xfd])) return 'zstd';
  // A frame to be skipped, as pzstd begins with.
  if (startsWith(head.subarray(1), [0x2a, 0x4d, 0x18]) && ((head[0] ?? 0) & 0xf0) === 0x50) return 'zstd';
  // BZh, a level, and pi (a block) or its square root (an empty file).
  if (/^BZh[1-9](1AY&SY|\x17rE8P\x90)/.test(head.toString('latin1', 0, 10))) return 'bzip2';
  return undefined;
}

function startsWith(head: Buffer, magic: readonly number[]): boolean {
  return head.subarray(0, magic.length).equals(Buffer.from(magic));
}

const mebibyte = 1024 * 1024;
const maximumToolMebibytes = 512;

/**
 * The distribution's tools, which decode many times faster than what there is in JavaScript; xz and zstd with
 * limits for the memory that a file can make them take.
 */
const tools: Readonly<Record<Exclude<Compression, 'gzip'>, readonly [string, ...string[]]>> = {
  xz: ['xz', '-dc', '-T0', `--memlimit-decompress=${maximumToolMebibytes * mebibyte}`],
  bzip2: ['bzip2', '-dc'],
  zstd: ['zstd', '-dcq', `--memory=${maximumToolMebibytes}MB`],
};

/**
 * What a compressed stream holds.
 *
 * @throws LaunchError IMAGE_CORRUPT when it is damaged, cut short, or goes on after its end; COMMAND_MISSING;
 * what `source` throws
 */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  compression: Compression,
  options: { readonly displayName: string; readonly signal?: AbortSignal },
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    if (compression === 'gzip') yield* gunzip(source);
    else {
      yield* filterThroughCommand(tools[compression], source, {
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        // Threads of xz take address space, not memory.
        maximumMemoryBytes: 4096 * mebibyte,
      });
    }
  } catch (error) {
    const reason = damageIn(error, compression);
    if (reason === undefined) throw error;
    if (/\bmemory\b/i.test(reason)) {
      throw new LaunchError(
        'IMAGE_CORRUPT',
        `refused "${options.displayName}": its ${compression} data asks for more than ${maximumToolMebibytes} MiB of memory to be unpacked`,
        { hint: `no ordinary setting does that; where its source is trusted, unpack it first`, cause: error },
      );
    }
    throw new LaunchError(
      'IMAGE_CORRUPT',
      `refused "${options.displayName}": its ${compression} data is damaged: ${reason}`,
      { hint: 'download or copy it again, and compare its digest with what its source says', cause: error },
    );
  }
}

async function* gunzip(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const unzip = createGunzip({ chunkSize: mebibyte });
  const seen: { failure: { readonly error: unknown } | undefined; readAll: boolean } = {
    failure: undefined,
    readAll: false,
  };
  async function* watched(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* source;
      seen.readAll = true;
    } catch (error) {
      seen.failure = { error };
      throw error;
    }
  }
  const feeding = pipeline(watched, unzip).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  try {
    for await (const chunk of unzip) yield chunk as Buffer;
    if (!seen.readAll) throw Object.assign(new Error('something follows its end'), { code: 'Z_TRAILING' });
    const fed = await feeding;
    if (fed !== undefined) throw fed.error;
  } catch (error) {
    throw seen.failure === undefined ? error : seen.failure.error;
  } finally {
    unzip.destroy();
  }
}

function damageIn(error: unknown, compression: Compression): string | undefined {
  if (error instanceof LaunchError) {
    if (error.code !== 'COMMAND_FAILED' || compression === 'gzip') return undefined;
    const reason = error.details?.['reason'];
    return typeof reason === 'string' && reason !== '' ? reason : error.message;
  }
  return errnoOf(error)?.startsWith('Z_') === true && error instanceof Error ? error.message : undefined;
}
