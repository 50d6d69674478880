import { join } from 'node:path';
import { listDirectory, removeTree } from '../host/files.js';
import { LaunchError } from '../host/launch-error.js';
import { tryTakeLock } from '../host/lock.js';
import { listTemporaryPaths, takeGoneMakers } from '../host/maker.js';
import type { Work } from '../host/work.js';
import { releaseAddresses } from './networks/dhcp-reservations.js';
import { forgetDomain } from './forget-domain.js';
import { findRecordIn, listInstanceRecords } from './instance-record.js';
import type { Host } from './open-host.js';

/**
 * Clears what commands left half made that were killed: files under a temporary name, and instances whose
 * launch did not end. Costs one look into a directory when there is nothing.
 *
 * @returns what was cleared, for people
 */
export async function clearLeftovers(host: Host, work: Work = {}): Promise<readonly string[]> {
  const cleared: string[] = [];
  const tell = (message: string) => {
    work.onEvent?.({ type: 'notice', message });
  };
  for await (const maker of takeGoneMakers(host.home)) {
    try {
      const found = [
        ...(await clearInstancesOf(host, maker.token)),
        ...(await clearFilesOf(host, maker.token)),
      ];
      await removeIdleLocks(host);
      await maker.forget();
      cleared.push(...found);
      for (const what of found) tell(`cleared what an interrupted command left: ${what}`);
    } catch (error) {
      await maker.keep();
      if (!(error instanceof LaunchError)) throw error;
      // It keeps nobody from work that has nothing to do with it.
      tell(
        `could not clear what an interrupted command left: ${error.message}; the next command tries again`,
      );
    }
  }
  return cleared;
}

/** Instances in place whose launch is still marked as at work, by a maker that is gone. */
async function clearInstancesOf(host: Host, token: string): Promise<readonly string[]> {
  const { records } = await listInstanceRecords(host.home);
  const cleared: string[] = [];
  for (const record of records.filter((candidate) => candidate.maker === token)) {
    await forgetDomain(host.hypervisor, record.uuid);
    await releaseAddresses(host.hypervisor, record.interfaces);
    await removeTree(host.home.instance(record.domainName).directory);
    cleared.push(`instance ${record.domainName}`);
  }
  return cleared;
}

async function clearFilesOf(host: Host, token: string): Promise<readonly string[]> {
  const { home } = host;
  const instanceDirectories = (await listDirectory(home.instances))
    .filter((name) => !name.startsWith('.') && name !== '_base')
    .map((name) => home.instance(name).directory);
  const imageDirectories = (await listDirectory(home.images))
    .filter((name) => !name.startsWith('.'))
    .map((name) => home.image(name).directory);
  const cleared: string[] = [];
  for (const directory of [
    home.root,
    home.images,
    home.instances,
    home.bases,
    ...instanceDirectories,
    ...imageDirectories,
  ]) {
    for (const path of await listTemporaryPaths(directory, token).catch(() => [])) {
      // A delete that was cut short has renamed the directory already, but perhaps not undefined the domain.
      const record = await findRecordIn(path).catch(() => undefined);
      if (record !== undefined) {
        await forgetDomain(host.hypervisor, record.uuid);
        await releaseAddresses(host.hypervisor, record.interfaces);
      }
      await removeTree(path);
      cleared.push(path);
    }
  }
  return cleared;
}

/** A killed process leaves its lock files; they mean nothing, but nobody needs them. */
async function removeIdleLocks(host: Host): Promise<void> {
  for (const name of await listDirectory(host.home.locks)) {
    if (!name.endsWith('.lock') || name.startsWith('maker-')) continue;
    const lock = await tryTakeLock(join(host.home.locks, name), { create: false });
    await lock?.release({ remove: true });
  }
}
