import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { count, formatBytes } from '../../host/units.js';
import { isActive } from '../forget-domain.js';
import type { Examination } from './examination.js';
import { shortList, type Finding, type Problem } from './finding.js';

export interface MemoryFacts {
  readonly totalBytes: number;
  /** What can be taken without swapping. */
  readonly availableBytes: number;
  readonly hugePageBytes: number;
  readonly totalHugePages: number;
  readonly freeHugePages: number;
}

/** From the text of /proc/meminfo. */
export function parseMemory(meminfo: string): MemoryFacts {
  const valueOf = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(meminfo)?.[1] ?? 0);
  return {
    totalBytes: valueOf('MemTotal') * 1024,
    availableBytes: valueOf('MemAvailable') * 1024,
    hugePageBytes: valueOf('Hugepagesize') * 1024,
    totalHugePages: valueOf('HugePages_Total'),
    freeHugePages: valueOf('HugePages_Free'),
  };
}

/** What a domain takes, as far as it matters here. */
export interface DomainMemory {
  readonly name: string;
  readonly isRunning: boolean;
  readonly hugePages: boolean;
  readonly memoryBytes: number;
}

const leastBytes = 128 * 1024 ** 2;
/** Nova's m1.tiny. */
const smallFlavorBytes = 512 * 1024 ** 2;

/** Memory for what runs, and for one more guest. */
export async function checkMemory(examination: Examination): Promise<Finding> {
  if (!examination.isLocal) return { found: 'on another host', problems: [], unknown: true };
  const text = await readFile(join(examination.places.proc, 'meminfo'), 'utf8').catch(() => '');
  if (text === '') return { found: 'cannot be read', problems: [], unknown: true };
  const memory = parseMemory(text);
  const domains = (await examination.domains()).map(
    ({ name, state, hugePages, description }): DomainMemory => ({
      name,
      isRunning: isActive(state),
      hugePages,
      memoryBytes: (description.memoryMib ?? 0) * 1024 ** 2,
    }),
  );
  const running = domains.filter(({ isRunning }) => isRunning);
  const promisedBytes = sumOf(running);
  return {
    found: `${formatBytes(memory.availableBytes)} of ${formatBytes(memory.totalBytes)} available; ${count(running.length, 'running domain')} of ${formatBytes(promisedBytes)}${memory.totalHugePages === 0 ? '' : `; huge pages ${formatBytes(memory.totalHugePages * memory.hugePageBytes)}`}`,
    problems: judgeMemory(memory, domains),
    facts: { ...memory, runningDomains: running.length, promisedBytes },
  };
}

export function judgeMemory(memory: MemoryFacts, domains: readonly DomainMemory[]): readonly Problem[] {
  const running = domains.filter(({ isRunning }) => isRunning);
  return [
    ...availableProblems(memory),
    ...promiseProblems(memory, running),
    ...hugePageProblems(memory, domains),
  ];
}

function availableProblems({ availableBytes }: MemoryFacts): readonly Problem[] {
  if (availableBytes >= smallFlavorBytes) return [];
  const isNone = availableBytes < leastBytes;
  return [
    {
      level: isNone ? 'failed' : 'warning',
      found: `${formatBytes(availableBytes)} of memory are available`,
      why: isNone
        ? 'not even a small guest starts, or the kernel ends another process for it'
        : 'a guest of m1.tiny (512 MiB) does not fit without swapping',
      cure: { text: 'stop an instance', command: 'launch list' },
    },
  ];
}

function promiseProblems({ totalBytes }: MemoryFacts, running: readonly DomainMemory[]): readonly Problem[] {
  const promisedBytes = sumOf(running.filter(({ hugePages }) => !hugePages));
  if (promisedBytes <= totalBytes) return [];
  return [
    {
      level: 'warning',
      found: `running domains may take ${formatBytes(promisedBytes)}, this host has ${formatBytes(totalBytes)}`,
      why: 'guests take memory as they use it; when all do, the kernel ends one of them',
      cure: { text: 'stop an instance, or take smaller flavors', command: 'launch list' },
    },
  ];
}

/** Huge pages are set aside: nobody else gets them, and who asks for them gets nothing else. */
function hugePageProblems(memory: MemoryFacts, domains: readonly DomainMemory[]): readonly Problem[] {
  const { totalHugePages, freeHugePages, hugePageBytes } = memory;
  const users = domains.filter(({ hugePages }) => hugePages);
  if (users.length === 0) {
    if (freeHugePages === 0) return [];
    return [
      {
        level: 'note',
        found: `${formatBytes(freeHugePages * hugePageBytes)} are set aside as huge pages, and no domain asks for them`,
        why: 'guests without huge pages cannot use this memory',
        cure: { text: 'give them back, if nothing else uses them', command: 'sysctl -w vm.nr_hugepages=0' },
      },
    ];
  }
  const waiting = users.filter(
    ({ isRunning, memoryBytes }) => !isRunning && memoryBytes > freeHugePages * hugePageBytes,
  );
  if (waiting.length === 0) return [];
  const needed = Math.ceil(Math.max(...waiting.map(({ memoryBytes }) => memoryBytes)) / hugePageBytes);
  return [
    {
      level: 'warning',
      found: `${count(freeHugePages, 'huge page')} free of ${totalHugePages}: too few for ${shortList(waiting.map(({ name }) => name))}`,
      why: 'a domain that asks for huge pages starts with all of them or not at all',
      cure: {
        text: 'set more aside',
        command: `sysctl -w vm.nr_hugepages=${totalHugePages - freeHugePages + needed}`,
      },
    },
  ];
}

function sumOf(domains: readonly DomainMemory[]): number {
  return domains.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
}
