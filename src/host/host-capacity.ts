import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';

/** What the host has left for guests, at one moment. */
export interface HostCapacity {
  /** Processors that this process may use. */
  readonly processors: number;
  /** Memory that can be taken without swapping, in bytes: the kernel's own estimate, MemAvailable. */
  readonly availableMemoryBytes: number;
}

/** Reads /proc/meminfo (proc(5)), whose kB are KiB. */
export async function readHostCapacity(): Promise<HostCapacity> {
  const text = await readFile('/proc/meminfo', 'utf8');
  const kib = Number(/^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0);
  return { processors: availableParallelism(), availableMemoryBytes: kib * 1024 };
}
