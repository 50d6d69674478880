import { ensureDirectory, writeFileAtomic } from '../host/files.js';
import { LaunchError } from '../host/launch-error.js';
import { takeLock } from '../host/lock.js';
import type { Maker } from '../host/maker.js';
import { readRecord, renderRecord, wholeNumber } from '../host/record.js';
import * as v from 'valibot';
import { listInstanceRecords } from './instance-record.js';
import type { Host } from './open-host.js';
import type { Work } from '../host/work.js';

const counterSchema = v.strictObject({ last: wholeNumber });

/** As in Nova, whose counter is a signed 32-bit column. */
const maximumNumber = 2 ** 31 - 1;

/** The number that the next launch would get. */
export async function peekNumber(host: Host): Promise<number> {
  return await nextNumber(host, await lastNumber(host));
}

/** Gives out a number, once and for all: what is deleted leaves a gap. */
export async function reserveNumber(host: Host, maker: Maker, work: Work): Promise<number> {
  const lock = await takeLock(host.home.lock('counter'), { work });
  try {
    const number = await nextNumber(host, await lastNumber(host));
    if (number > maximumNumber)
      throw new LaunchError('RECORD_INVALID', 'the numbers of instances are used up');
    await ensureDirectory(host.home.instances);
    await writeFileAtomic(host.home.counterFile, renderRecord({ last: number }), maker);
    return number;
  } finally {
    await lock.release({ remove: true });
  }
}

export async function lastNumber(host: Host): Promise<number> {
  return readRecord(host.home.counterFile, counterSchema)?.last ?? 0;
}

async function nextNumber(host: Host, last: number): Promise<number> {
  // A home whose counter was lost, and a libvirt that another home or a Nova uses too.
  const { records, damaged } = await listInstanceRecords(host.home);
  const taken = new Set([
    ...records.map((record) => record.domainName),
    ...damaged.map((instance) => instance.domainName),
    ...(await host.hypervisor.listDomains()).map((domain) => domain.name),
  ]);
  let number = last + 1;
  while (taken.has(host.nameTemplate.render(number))) number += 1;
  return number;
}
