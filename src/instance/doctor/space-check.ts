import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { findFileStat } from '../../host/files.js';
import { errnoOf, fileSystemError } from '../../host/system-error.js';
import { count, bytesPerGib, formatBytes } from '../../host/units.js';
import type { Examination } from './examination.js';
import type { Finding, Problem } from './finding.js';

export interface SpaceFacts {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** undefined where the file system makes them as it needs them. */
  readonly freeInodes: number | undefined;
  /** How much the disks of instances may still grow. */
  readonly promisedBytes: number;
}

/** A launch on a base that is there: tables of an overlay, a log, a record. */
const leastBytes = 16 * 1024 ** 2;
const leastInodes = 16;
const fewInodes = 1000;

export async function checkSpace(examination: Examination): Promise<Finding> {
  const { home } = examination.host;
  const directory = await nearestDirectory(home.bases);
  const found = await statfs(directory).catch((error: unknown) => {
    throw fileSystemError('look at the file system of', directory, error);
  });
  const facts: SpaceFacts = {
    freeBytes: found.bavail * found.bsize,
    totalBytes: found.blocks * found.bsize,
    freeInodes: found.files === 0 ? undefined : found.ffree,
    promisedBytes: await measurePromise(examination),
  };
  const inodes = facts.freeInodes === undefined ? '' : `, ${count(facts.freeInodes, 'inode')}`;
  const growth = facts.promisedBytes === 0 ? '' : `; disks may grow by ${formatBytes(facts.promisedBytes)}`;
  return {
    found: `${formatBytes(facts.freeBytes)} of ${formatBytes(facts.totalBytes)} free${inodes}${growth}`,
    problems: judgeSpace(facts, directory),
    facts: { directory, ...facts },
  };
}

export function judgeSpace(facts: SpaceFacts, directory: string): readonly Problem[] {
  const { freeBytes, totalBytes, freeInodes, promisedBytes } = facts;
  const cure = { text: 'see what can go', command: 'launch df; launch base prune --dry-run' };
  const problems: Problem[] = [];
  if (freeBytes < leastBytes) {
    problems.push({
      level: 'failed',
      found: `the file system of ${JSON.stringify(directory)} is full: ${formatBytes(freeBytes)} free`,
      why: 'nothing can be launched, and running guests stop when they write',
      cure,
    });
  } else if (freeBytes < Math.min(totalBytes / 20, 10 * bytesPerGib)) {
    problems.push({
      level: 'warning',
      found: `only ${formatBytes(freeBytes)} of ${formatBytes(totalBytes)} are free`,
      why: 'guests stop when their disks cannot grow',
      cure,
    });
  } else if (promisedBytes > freeBytes) {
    problems.push({
      level: 'note',
      found: `disks of instances may grow by ${formatBytes(promisedBytes)}, and ${formatBytes(freeBytes)} are free`,
      why: 'disks take space as guests write: that is meant so, until all of them do',
      cure: { text: 'keep an eye on it', command: 'launch df' },
    });
  }
  if (freeInodes !== undefined && freeInodes < fewInodes) {
    problems.push({
      level: freeInodes < leastInodes ? 'failed' : 'warning',
      found: `only ${count(freeInodes, 'file')} can still be made (inodes)`,
      why: 'each instance takes about five, whatever is free in bytes',
      cure: {
        text: 'find what fills it with small files',
        command: `du --inodes -x '${directory}' | sort -n | tail`,
      },
    });
  }
  return problems;
}

/** The home may not be there before the first launch. */
async function nearestDirectory(path: string): Promise<string> {
  try {
    await statfs(path);
    return path;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || path === '/') throw fileSystemError('look at', path, error);
    return await nearestDirectory(dirname(path));
  }
}

async function measurePromise(examination: Examination): Promise<number> {
  const { records } = await examination.records();
  const promises = await Promise.all(
    records.map(async ({ domainName, disk }) => {
      const found = await findFileStat(examination.host.home.instance(domainName).disk).catch(
        () => undefined,
      );
      return found === undefined ? 0 : Math.max(0, disk.virtualSizeBytes - found.allocatedBytes);
    }),
  );
  return promises.reduce((sum, bytes) => sum + bytes, 0);
}
