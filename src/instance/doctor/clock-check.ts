import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { listImages } from '../../image/image-store.js';
import { LaunchError } from '../../host/launch-error.js';
import type { Examination } from './examination.js';
import type { Finding, Problem } from './finding.js';

/** Records are written after the fact by a moment; a clock that is set right moves by less. */
const toleranceMs = 5 * 60_000;

/** The clock is not before what this host has done already, and somebody keeps it right. */
export async function checkClock(examination: Examination): Promise<Finding> {
  const now = examination.host.now();
  const [installed, newest, synchronized] = await Promise.all([
    stat(fileURLToPath(import.meta.url)).then(({ mtime }) => mtime),
    findNewestRecord(examination),
    askSynchronized(examination),
  ]);
  const problems: Problem[] = [
    ...judgeClock(now, { 'this program was installed': installed, ...newest }),
    ...(synchronized === false ? [notSynchronized()] : []),
  ];
  const state = {
    true: 'synchronized',
    false: 'not synchronized',
    undefined: 'nobody here tells whether it is synchronized',
  };
  return {
    found: `${now.toISOString().replace(/\.\d+Z$/, 'Z')}, ${state[`${synchronized}`]}`,
    problems,
    facts: { now: now.toISOString(), synchronized },
  };
}

/** @param events what happened before now, and when it was by the clock of that time */
export function judgeClock(now: Date, events: Readonly<Record<string, Date>>): readonly Problem[] {
  const [first] = Object.entries(events)
    .filter(([, when]) => when.getTime() > now.getTime() + toleranceMs)
    .sort(([, one], [, other]) => other.getTime() - one.getTime());
  if (first === undefined) return [];
  const [event, when] = first;
  return [
    {
      level: 'warning',
      found: `the clock says ${now.toISOString()}, but ${event} at ${when.toISOString()}`,
      why: 'it is wrong now, or was then: certificates of downloads seem not yet valid, ages and prune go wrong, and guests take their time from it',
      cure: { text: 'set it, or let it be kept right', command: 'timedatectl set-ntp true' },
    },
  ];
}

async function findNewestRecord(examination: Examination): Promise<Readonly<Record<string, Date>>> {
  const { records } = await examination.records();
  const { images } = await listImages(examination.host.home);
  const newest = (times: readonly string[]): Date | undefined => {
    const latest = times.map((time) => Date.parse(time)).filter((time) => !Number.isNaN(time));
    return latest.length === 0 ? undefined : new Date(Math.max(...latest));
  };
  const instance = newest(records.map(({ createdAt }) => createdAt));
  const image = newest(images.map(({ createdAt }) => createdAt));
  return {
    ...(instance === undefined ? {} : { 'an instance was launched': instance }),
    ...(image === undefined ? {} : { 'an image was imported': image }),
  };
}

/** undefined where nobody can tell: no systemd, no such service. */
async function askSynchronized(examination: Examination): Promise<boolean | undefined> {
  try {
    const { exitCode, stdout } = await examination.run('timedatectl', ['show', '--property=NTPSynchronized']);
    const value = /^NTPSynchronized=(yes|no)$/m.exec(stdout)?.[1];
    return exitCode !== 0 || value === undefined ? undefined : value === 'yes';
  } catch (error) {
    if (error instanceof LaunchError && error.code !== 'INTERRUPTED') return undefined;
    throw error;
  }
}

function notSynchronized(): Problem {
  return {
    level: 'note',
    found: 'nobody keeps the clock right',
    why: 'it drifts, and guests take their time from it at their start',
    cure: { text: 'let it be kept right', command: 'timedatectl set-ntp true' },
  };
}
