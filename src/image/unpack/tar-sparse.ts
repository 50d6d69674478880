import { parseCount } from './pax-records.js';
import { TarRefusal, type StoredContent } from './stored-content.js';
import type { TarRegion } from './tar-header.js';

/** An archive can have so many; more would only take memory. */
export const maximumRegions = 1_000_000;
const zeros = Buffer.alloc(1024 * 1024);

/** GNU's sparse format 1.0: the regions in decimal lines before the content, filled up to a block. */
export async function readRegions(stored: StoredContent): Promise<readonly TarRegion[]> {
  const numbers: number[] = [];
  let line = '';
  let wanted = 1;
  while (numbers.length < wanted) {
    const block = await stored.readBlock();
    for (const character of block.toString('latin1')) {
      if (numbers.length === wanted) break;
      if (character !== '\n') {
        line += character;
        continue;
      }
      const value = parseCount(line);
      if (value === undefined || value > Number.MAX_SAFE_INTEGER) throw new TarRefusal('it is damaged');
      if (numbers.length === 0) wanted = 1 + 2 * value;
      if (wanted > 2 * maximumRegions) throw new TarRefusal('it has a file of too many pieces');
      numbers.push(value);
      line = '';
    }
    if (line.length > 20) throw new TarRefusal('it is damaged');
  }
  const regions: TarRegion[] = [];
  for (let at = 1; at < numbers.length; at += 2) {
    regions.push({ offset: numbers[at] ?? 0, length: numbers[at + 1] ?? 0 });
  }
  return regions;
}

/** A file with holes; its regions are in order, and hold all that is stored. */
export function sparseFile(
  name: string,
  regions: readonly TarRegion[],
  realBytes: number,
  stored: StoredContent,
): {
  readonly name: string;
  readonly lengthBytes: number;
  content(): AsyncGenerator<Buffer, void, undefined>;
} {
  let end = 0;
  let contentBytes = 0;
  for (const region of regions) {
    if (region.offset < end) throw new TarRefusal('it is damaged');
    end = region.offset + region.length;
    contentBytes += region.length;
  }
  if (end > realBytes || contentBytes !== stored.leftBytes) throw new TarRefusal('it is damaged');
  async function* content(): AsyncGenerator<Buffer, void, undefined> {
    let at = 0;
    for (const region of regions) {
      yield* zerosUntil(region.offset - at);
      yield* stored.read(region.length);
      at = region.offset + region.length;
    }
    yield* zerosUntil(realBytes - at);
  }
  return { name, lengthBytes: realBytes, content };
}

function* zerosUntil(lengthBytes: number): Generator<Buffer, void, undefined> {
  for (let left = lengthBytes; left > 0; left -= zeros.length)
    yield zeros.subarray(0, Math.min(left, zeros.length));
}
