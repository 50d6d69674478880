import type { FileHandle } from 'node:fs/promises';

/** Zeros in pieces of this size become holes; smaller ones would make many extents for little. */
const pieceBytes = 64 * 1024;
const zeros = Buffer.alloc(pieceBytes);

/**
 * Copies a stream into an empty file and leaves holes where it has only zeros, so that a sparse raw disk
 * stays sparse.
 *
 * @param beforeWrite told how many bytes are written next, holes not counted; may end the copy by throwing
 * @returns the number of bytes copied, holes included
 */
export async function copySparse(
  source: AsyncIterable<Uint8Array>,
  target: FileHandle,
  onChunk: (chunk: Buffer, doneBytes: number) => void,
  beforeWrite: (bytes: number) => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  let position = 0;
  for await (const bytes of source) {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (const run of runsOfContent(chunk, position)) {
      await beforeWrite(run.end - run.start);
      await writeFully(target, chunk.subarray(run.start, run.end), position + run.start);
    }
    position += chunk.length;
    onChunk(chunk, position);
  }
  await target.truncate(position);
  return position;
}

/** The parts of a chunk to write: pieces end at multiples of the piece's size in the file. */
export function runsOfContent(
  chunk: Buffer,
  position: number,
): readonly { readonly start: number; readonly end: number }[] {
  const runs: { start: number; end: number }[] = [];
  for (let start = 0; start < chunk.length;) {
    const end = Math.min(chunk.length, start + pieceBytes - ((position + start) % pieceBytes));
    const piece = chunk.subarray(start, end);
    if (!piece.equals(zeros.subarray(0, piece.length))) {
      const last = runs.at(-1);
      if (last?.end === start) last.end = end;
      else runs.push({ start, end });
    }
    start = end;
  }
  return runs;
}

async function writeFully(target: FileHandle, content: Buffer, position: number): Promise<void> {
  for (let done = 0; done < content.length;) {
    const { bytesWritten } = await target.write(content, done, content.length - done, position + done);
    done += bytesWritten;
  }
}
