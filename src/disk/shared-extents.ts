import type { CommandRunner } from '../host/command.js';
import { LaunchError } from '../host/launch-error.js';
import type { Work } from '../host/work.js';

/** A run of blocks of a file system, in bytes from its start. */
export interface BlockRun {
  readonly startBytes: number;
  readonly lengthBytes: number;
}

/**
 * Where files lie on their file system, from `filefrag -v` (FIEMAP); files that share blocks name the same
 * runs. A call takes many files.
 *
 * @returns undefined when filefrag is missing or the file system does not tell
 */
export async function readBlockRuns(
  paths: readonly string[],
  runner: CommandRunner,
  work: Work = {},
): Promise<ReadonlyMap<string, readonly BlockRun[]> | undefined> {
  if (paths.length === 0) return new Map();
  try {
    const result = await runner.run('filefrag', ['-v', ...paths], { signal: work.signal });
    return result.exitCode === 0 ? parseFilefrag(result.stdout, paths) : undefined;
  } catch (error) {
    if (error instanceof LaunchError && error.code === 'COMMAND_MISSING') return undefined;
    throw error;
  }
}

/**
 * Reads what e2fsprogs' `filefrag -v` prints: a line `File size of PATH is N (M blocks of B bytes)`, then
 * one line an extent, `0: 0.. 255: 34816.. 35071: 256: flags`. Extents in the inode have no blocks.
 */
export function parseFilefrag(
  output: string,
  paths: readonly string[],
): ReadonlyMap<string, readonly BlockRun[]> {
  const runs = new Map<string, BlockRun[]>(paths.map((path) => [path, []]));
  let current: BlockRun[] | undefined;
  let blockBytes = 0;
  for (const line of output.split('\n')) {
    const head = /^File size of (.*) is \d+ \(\d+ blocks? of (\d+) bytes\)$/.exec(line);
    if (head !== null) {
      current = runs.get(head[1] ?? '');
      blockBytes = Number(head[2]);
      continue;
    }
    const extent = /^\s*\d+:\s*\d+\.\.\s*\d+:\s*(\d+)\.\.\s*(\d+):\s*\d+:(.*)$/.exec(line);
    if (extent === null || current === undefined) continue;
    if (/inline|unknown_loc|delalloc/.test(extent[3] ?? '')) continue;
    const first = Number(extent[1]);
    current.push({
      startBytes: first * blockBytes,
      lengthBytes: (Number(extent[2]) - first + 1) * blockBytes,
    });
  }
  return runs;
}

/** What files take together, and what each alone would give back. Bytes. */
export interface SharedUse {
  readonly togetherBytes: number;
  /** For each file the bytes that no other of them has. */
  readonly exclusiveBytes: ReadonlyMap<string, number>;
}

/** Counts blocks that several files have once. */
export function measureSharedUse(runs: ReadonlyMap<string, readonly BlockRun[]>): SharedUse {
  const edges: { readonly at: number; readonly path: string; readonly change: 1 | -1 }[] = [];
  for (const [path, extents] of runs) {
    for (const { startBytes, lengthBytes } of extents) {
      edges.push({ at: startBytes, path, change: 1 }, { at: startBytes + lengthBytes, path, change: -1 });
    }
  }
  edges.sort((a, b) => a.at - b.at || a.change - b.change);
  const exclusiveBytes = new Map([...runs.keys()].map((path) => [path, 0]));
  const open = new Map<string, number>();
  let togetherBytes = 0;
  let position = 0;
  for (const { at, path, change } of edges) {
    if (open.size > 0) togetherBytes += at - position;
    const [only] = open.size === 1 ? open.keys() : [];
    if (only !== undefined) exclusiveBytes.set(only, (exclusiveBytes.get(only) ?? 0) + at - position);
    position = at;
    const count = (open.get(path) ?? 0) + change;
    if (count === 0) open.delete(path);
    else open.set(path, count);
  }
  return { togetherBytes, exclusiveBytes };
}
