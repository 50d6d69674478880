import type { ChunkReader } from './chunk-reader.js';
import { tarBlockBytes } from './tar-header.js';

/** What an archive holds that we do not read; `message` says what it is. */
export class TarRefusal extends Error {}

/** The bytes of one entry, filled up to a block. */
export class StoredContent {
  leftBytes: number;
  readonly #reader: ChunkReader;
  #padding: number;

  constructor(reader: ChunkReader, lengthBytes: number) {
    this.#reader = reader;
    this.leftBytes = lengthBytes;
    this.#padding = (tarBlockBytes - (lengthBytes % tarBlockBytes)) % tarBlockBytes;
  }

  async *read(lengthBytes = this.leftBytes): AsyncGenerator<Buffer, void, undefined> {
    for (let left = lengthBytes; left > 0;) {
      const piece = await this.#reader.next(left);
      if (piece.length === 0) throw new TarRefusal('it ends in the middle');
      left -= piece.length;
      this.leftBytes -= piece.length;
      yield piece;
    }
  }

  async readBlock(): Promise<Buffer> {
    if (this.leftBytes < tarBlockBytes) throw new TarRefusal('it is damaged');
    const block = await this.#reader.read(tarBlockBytes);
    if (block.length < tarBlockBytes) throw new TarRefusal('it ends in the middle');
    this.leftBytes -= tarBlockBytes;
    return block;
  }

  /** What was not read, and the padding. */
  async skip(): Promise<void> {
    this.leftBytes += this.#padding;
    this.#padding = 0;
    const pieces = this.read();
    while ((await pieces.next()).done !== true);
  }
}
