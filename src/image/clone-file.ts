import { chmod, open, type FileHandle } from 'node:fs/promises';
import { tryReflink } from '../host/file-system.js';
import { checkInterrupted } from '../host/work.js';
import { Digests } from './digests.js';
import type { OpenSource } from './image-source.js';
import { witnessSignature, type SignatureWitness } from './trust/signature.js';
import type { TakeInOptions, TakenFile } from './taken-file.js';
import { detectCompression, headLength } from './unpack/compression.js';
import { isTarHeader } from './unpack/tar-header.js';

/**
 * Takes a file in by sharing its blocks; its digest is that of the clone, whatever happens to the file.
 *
 * @returns undefined where the file has to be unpacked, or the file system cannot share blocks
 */
export async function tryClone(
  source: OpenSource,
  target: string,
  options: TakeInOptions,
): Promise<TakenFile | undefined> {
  const { file } = source;
  if (file === undefined || file.lengthBytes === 0 || (await needsUnpacking(file.path))) return undefined;
  if (!(await tryReflink(file.path, target))) return undefined;
  // The clone has the mode of its origin, which may be one that we could not read.
  await chmod(target, 0o600);
  const handle = await open(target, 'r');
  const { signature, work } = options;
  let witness: SignatureWitness | undefined;
  try {
    if (signature !== undefined) witness = await witnessSignature(signature, work.signal);
    const digests = new Digests(options.algorithms);
    for await (const chunk of readHandle(handle)) {
      checkInterrupted(work);
      digests.add(chunk);
      await witness?.add(chunk);
      options.progress('reading', digests.lengthBytes, file.lengthBytes);
    }
    const signedBy = await witness?.end();
    await handle.sync();
    await handle.chmod(0o444);
    const taken = digests.result();
    const nothing = { compression: undefined, isBox: false, declaredFormat: undefined, signedBy };
    return { stored: taken, came: taken, reflinked: true, ...nothing };
  } finally {
    await witness?.leave();
    await handle.close();
  }
}

async function needsUnpacking(path: string): Promise<boolean> {
  const handle = await open(path, 'r').catch(() => undefined);
  // Whatever is wrong is said when it is read.
  if (handle === undefined) return true;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(headLength), 0, headLength, 0);
    const head = buffer.subarray(0, bytesRead);
    return detectCompression(head) !== undefined || isTarHeader(head);
  } finally {
    await handle.close();
  }
}

async function* readHandle(handle: FileHandle): AsyncGenerator<Buffer, void, undefined> {
  const buffer = Buffer.alloc(1024 * 1024);
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}
