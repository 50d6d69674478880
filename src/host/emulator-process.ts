import { readdir, readFile } from 'node:fs/promises';

/** A QEMU on this host. */
export interface EmulatorProcess {
  readonly pid: number;
  /** Milliseconds since its start. */
  readonly ageMs: number;
  /** Processor time that it has used, in seconds, all threads. */
  readonly cpuSeconds: number;
}

/** The unit of the times in /proc: USER_HZ, which is 100 on every Linux that libvirt runs QEMU on. */
const ticksPerSecond = 100;

/**
 * The QEMU that runs a domain, found by the uuid on its command line, which libvirt always gives; undefined
 * when it is not on this host or may not be seen. libvirt itself does not tell when a domain was started.
 */
export async function findEmulator(uuid: string): Promise<EmulatorProcess | undefined> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return line.includes(`\0-uuid\0${uuid}\0`) ? pid : undefined;
    }),
  );
  const pid = found.find((one) => one !== undefined);
  return pid === undefined ? undefined : await readEmulator(Number(pid));
}

/** Looks at a QEMU again; undefined when it has ended. */
export async function readEmulator(pid: number): Promise<EmulatorProcess | undefined> {
  const [stat, uptime] = await Promise.all(
    [`/proc/${pid}/stat`, '/proc/uptime'].map((path) => readFile(path, 'utf8').catch(() => '')),
  );
  return parseProcess(pid, stat ?? '', uptime ?? '');
}

/** proc(5): the fields behind the name, which is in parentheses and may hold anything. */
export function parseProcess(pid: number, stat: string, uptime: string): EmulatorProcess | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [userTicks, systemTicks, startTicks] = [fields[11], fields[12], fields[19]].map(Number);
  const seconds = Number(uptime.split(' ')[0]);
  if (userTicks === undefined || systemTicks === undefined || startTicks === undefined) return undefined;
  if (![userTicks, systemTicks, startTicks, seconds].every(Number.isFinite) || fields.length < 20)
    return undefined;
  return {
    pid,
    ageMs: Math.max(0, Math.round((seconds - startTicks / ticksPerSecond) * 1000)),
    cpuSeconds: (userTicks + systemTicks) / ticksPerSecond,
  };
}
