import type { VirtType } from '../domain/domain-spec.js';
import type { HostCapacity } from '../host/host-capacity.js';
import { LaunchError } from '../host/launch-error.js';
import { formatBytes } from '../host/units.js';
import type { LaunchRequest } from './plan-launch.js';

/** What QEMU takes beside the guest's memory: its own code, devices, and under TCG the translated code. */
const overheadBytes = 128 * 1024 ** 2;
const maximumCount = 1000;

export interface ManyFacts {
  readonly count: number;
  /** How many to launch at a time, when the user says so. */
  readonly parallel: number | undefined;
  readonly overcommit: boolean;
  readonly memoryMib: number;
  readonly virtType: VirtType;
  readonly capacity: HostCapacity;
}

/**
 * How many guests to launch at a time. Booting keeps a processor busy: emulation more than one, kvm less,
 * since half of a boot is waiting.
 *
 * @throws LaunchError ARGUMENT_INVALID; MEMORY_SHORT when the guests together need more than the host has
 */
export function planMany(facts: ManyFacts): number {
  const { count, capacity } = facts;
  checkCount('--count', count);
  if (facts.parallel !== undefined) checkCount('--parallel', facts.parallel);
  const neededBytes = count * (facts.memoryMib * 1024 ** 2 + overheadBytes);
  const freeBytes = capacity.availableMemoryBytes;
  if (neededBytes > freeBytes && !facts.overcommit) {
    const fitting = Math.floor((freeBytes * count) / neededBytes);
    throw new LaunchError(
      'MEMORY_SHORT',
      `cannot launch ${count} guests: they need ${formatBytes(neededBytes)} of memory, the host has ${formatBytes(freeBytes)} free`,
      {
        hint: [
          `${fitting} of them fit; take fewer, or less memory each:  --count ${Math.max(fitting, 1)}   --memory MIB`,
          'guests that never use all of theirs can share what there is:  --overcommit',
        ].join('\n'),
        details: { neededBytes, freeBytes, fitting },
      },
    );
  }
  const bearable = capacity.processors * (facts.virtType === 'kvm' ? 4 : 2);
  return Math.min(count, facts.parallel ?? Math.max(1, bearable));
}

/**
 * The name of one of many: `%d` in the pattern is its number, from 1 (`%03d` with zeros before); without
 * one the number follows a dash, as in Nova.
 */
export function nameOfMany(pattern: string | undefined, number: number): string | undefined {
  if (pattern === undefined) return undefined;
  const place = /%(0\d)?d/;
  if (!place.test(pattern)) return `${pattern}-${number}`;
  return pattern.replace(place, (_found, width?: string) => String(number).padStart(Number(width ?? 0), '0'));
}

/** @throws LaunchError ARGUMENT_INVALID when it asks for what only one guest can have */
export function checkManyAlike(request: Pick<LaunchRequest, 'networks' | 'publish'>, count: number): void {
  if (count === 1) return;
  const asked = [
    ...(request.networks ?? []).flatMap((network) => [
      ...(network.macAddress === undefined ? [] : [`mac=${network.macAddress}`]),
      ...(network.kind === 'network' && network.address !== undefined ? [`ip=${network.address}`] : []),
    ]),
    ...(request.publish ?? [])
      .filter(({ hostPort }) => hostPort !== 0)
      .map(({ hostPort }) => `port ${hostPort} of this host`),
  ];
  if (asked.length === 0) return;
  throw new LaunchError('ARGUMENT_INVALID', `${count} guests cannot share ${asked.join(', ')}`, {
    hint: 'leave it out: each guest gets its own; as host port 0 is any that is free:  --publish 0:80',
  });
}

function checkCount(option: string, count: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= maximumCount) return;
  throw new LaunchError('ARGUMENT_INVALID', `${option} is ${count}, not a number from 1 to ${maximumCount}`, {
    hint: `for one guest leave it out; for three:  ${option} 3`,
  });
}
