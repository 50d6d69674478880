/** Reads a stream piece by piece, as an archive needs it. */
export class ChunkReader {
  readonly #chunks: AsyncIterator<Uint8Array, void>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, void>;
  }

  /** What comes next: at most so many bytes, and none at the end only. */
  async next(maximumBytes: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) return Buffer.alloc(0);
      const { buffer, byteOffset, byteLength } = next.value;
      this.#rest = Buffer.from(buffer, byteOffset, byteLength);
    }
    const piece = this.#rest.subarray(0, maximumBytes);
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }

  /** So many bytes, or fewer where the stream ends. */
  async read(lengthBytes: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let missing = lengthBytes; missing > 0;) {
      const piece = await this.next(missing);
      if (piece.length === 0) break;
      pieces.push(piece);
      missing -= piece.length;
    }
    return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
  }

  /** The first bytes, which stay to be read. */
  async peek(lengthBytes: number): Promise<Buffer> {
    const head = await this.read(lengthBytes);
    this.#rest = this.#rest.length === 0 ? head : Buffer.concat([head, this.#rest]);
    return head;
  }

  /** All that has not been read. */
  async *remaining(): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const piece = await this.next(Number.MAX_SAFE_INTEGER);
      if (piece.length === 0) return;
      yield piece;
    }
  }
}
