import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { BenchmarkOptions } from './benchmark.js';
import { mib } from './disks.js';

/** The built binary; `npm run bench` builds it first. */
const binary = fileURLToPath(new URL('../../main.cjs', import.meta.url));

export interface Surroundings {
  readonly home: string;
  readonly signal: AbortSignal;
  /** Start of the domains' names, so that what was made can be told from what was there. */
  readonly prefix: string;
}

/** A home of the run's own. */
export function surroundingsOf({ directory, signal, prefix }: BenchmarkOptions): Surroundings {
  return { home: join(directory, 'home'), signal, prefix };
}

/** Our command, as a user would run it. */
export function launchCommand(...args: readonly string[]): readonly [string, ...string[]] {
  return [process.execPath, binary, ...args];
}

/** Runs a command to its end and throws when it fails. */
export async function runCommand(
  command: readonly [string, ...string[]],
  { home, signal, prefix }: Surroundings,
): Promise<string> {
  const [file, ...args] = command;
  const { stdout } = await execa(file, args, { cancelSignal: signal, env: environmentOf(home, prefix) });
  return stdout;
}

/** Seconds from the start of a process to its end. */
export async function timeCommand(
  command: readonly [string, ...string[]],
  surroundings: Surroundings,
): Promise<number> {
  const begun = performance.now();
  await runCommand(command, surroundings);
  return (performance.now() - begun) / 1000;
}

/** Seconds, and the most memory that the command and its children had at a time (resident, in MiB). */
export async function watchCommand(
  command: readonly [string, ...string[]],
  { home, signal, prefix }: Surroundings,
): Promise<{ readonly seconds: number; readonly peakMib: number }> {
  const [file, ...args] = command;
  const begun = performance.now();
  const running = execa(file, args, { cancelSignal: signal, env: environmentOf(home, prefix) });
  let peakBytes = 0;
  const looks: Promise<void>[] = [];
  const watch = setInterval(() => {
    if (running.pid === undefined) return;
    looks.push(
      residentBytes(running.pid).then((bytes) => {
        peakBytes = Math.max(peakBytes, bytes);
      }),
    );
  }, 50);
  try {
    await running;
  } finally {
    clearInterval(watch);
  }
  const seconds = (performance.now() - begun) / 1000;
  await Promise.all(looks);
  return { seconds, peakMib: peakBytes / mib };
}

function environmentOf(home: string, prefix: string): Record<string, string> {
  return {
    LC_ALL: 'C',
    LAUNCH_HOME: home,
    LIBVIRT_DEFAULT_URI: 'qemu:///system',
    LAUNCH_INSTANCE_NAME_TEMPLATE: `${prefix}-%08x`,
  };
}

/** VmRSS of a process and all below it (proc(5)). */
async function residentBytes(root: number): Promise<number> {
  const parents = new Map<number, { readonly parent: number; readonly bytes: number }>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const status = await readFile(`/proc/${name}/status`, 'utf8').catch(() => '');
    const parent = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    const kib = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
    parents.set(Number(name), { parent, bytes: kib * 1024 });
  }
  const isBelow = (pid: number): boolean => {
    const found = parents.get(pid);
    return pid === root || (found !== undefined && found.parent > 1 && isBelow(found.parent));
  };
  return [...parents].reduce((sum, [pid, { bytes }]) => (isBelow(pid) ? sum + bytes : sum), 0);
}
