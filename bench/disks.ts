import { execa } from 'execa';
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

export const mib = 1024 ** 2;
export const gib = 1024 ** 3;

/** Runs a command; throws when it fails. */
export async function run(signal: AbortSignal, file: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await execa(file, args, { cancelSignal: signal, env: { LC_ALL: 'C' } });
  return stdout;
}

/** A raw disk whose beginning holds bytes that no program can make smaller, and whose rest is a hole. */
export async function makeBase(path: string, dataBytes: number, virtualSizeBytes: number): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    const block = Buffer.alloc(mib);
    for (let at = 0; at < dataBytes; at += mib) {
      fillWithNoise(block, at);
      await handle.write(block, 0, mib, at);
    }
    await handle.truncate(virtualSizeBytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Fast enough, and the same every time: 32 bytes of a digest, over and over with a counter in it. */
function fillWithNoise(block: Buffer, seed: number): void {
  const digest = createHash('sha256').update(`${seed}`).digest();
  for (let at = 0; at < block.length; at += digest.length) {
    digest.copy(block, at);
    block.writeUInt32LE((seed + at * 2654435761) >>> 0, at);
  }
}

/** An overlay as `qemu-img create -o` makes it with the options, such as `cluster_size=16k`. */
export async function makeOverlay(
  path: string,
  basePath: string,
  options: { readonly creation: string; readonly virtualSizeBytes: number; readonly signal: AbortSignal },
): Promise<void> {
  const creation = [`backing_file=${basePath}`, 'backing_fmt=raw', options.creation].filter(Boolean);
  await run(
    options.signal,
    'qemu-img',
    ...['create', '-q', '-f', 'qcow2', '-o', creation.join(','), path, `${options.virtualSizeBytes}`],
  );
}
