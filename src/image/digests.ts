import { createHash, type Hash } from 'node:crypto';
import type { DigestAlgorithm } from './trust/checksum-list.js';

/** Counts bytes and takes their digests, SHA-256 always. */
export class Digests {
  readonly #hashes: ReadonlyMap<DigestAlgorithm, Hash>;
  #lengthBytes = 0;

  constructor(algorithms: readonly DigestAlgorithm[] = []) {
    this.#hashes = new Map(
      [...new Set<DigestAlgorithm>(['sha256', ...algorithms])].map((name) => [name, createHash(name)]),
    );
  }

  get lengthBytes(): number {
    return this.#lengthBytes;
  }

  add(chunk: Uint8Array): void {
    this.#lengthBytes += chunk.length;
    for (const hash of this.#hashes.values()) hash.update(chunk);
  }

  /** Ends the count. */
  result(): TakenDigests {
    const digests = new Map([...this.#hashes].map(([name, hash]) => [name, hash.digest('hex')]));
    return {
      lengthBytes: this.#lengthBytes,
      sha256: digests.get('sha256') ?? '',
      of: (algorithm) => digests.get(algorithm),
    };
  }
}

export interface TakenDigests {
  readonly lengthBytes: number;
  readonly sha256: string;
  of(algorithm: DigestAlgorithm): string | undefined;
}
