import { rename } from 'node:fs/promises';
import { markUsed } from '../disk/base-record.js';
import { parseDomain } from '../domain/parse-domain.js';
import { fileExists, removeTree } from '../host/files.js';
import { asMaker } from '../host/maker.js';
import { fileSystemError } from '../host/system-error.js';
import { runStep, type Work } from '../host/work.js';
import { clearLeftovers } from './clear-leftovers.js';
import { releaseAddresses } from './networks/dhcp-reservations.js';
import { findInstance, instanceNotFound } from './find-instance.js';
import { forgetDomain } from './forget-domain.js';
import { withInstanceLock } from './instance-lock.js';
import { lastNumber } from './instance-number.js';
import { findRecordIn } from './instance-record.js';
import type { Host } from './open-host.js';
import { refreshSshConfig } from './login/ssh-config-file.js';

export interface DeletedInstance {
  readonly domainName: string;
  /** false: it had been deleted before. */
  readonly deleted: boolean;
}

/**
 * Stops an instance, makes libvirt forget its domain, and removes its files. Its base stays. Works on
 * whatever is left of an instance, and once more on one that is deleted.
 *
 * @throws LaunchError INSTANCE_NOT_FOUND for a name that no instance ever had, INSTANCE_AMBIGUOUS
 */
export async function deleteInstance(
  host: Host,
  reference: string,
  work: Work = {},
): Promise<DeletedInstance> {
  await clearLeftovers(host, work);
  const found = await findInstance(host, reference);
  if (found === undefined) {
    const number = host.nameTemplate.parse(reference);
    // Numbers only grow: one that was given out belonged to an instance.
    if (number !== undefined && number > 0 && number <= (await lastNumber(host))) {
      return { domainName: reference, deleted: false };
    }
    throw await instanceNotFound(host, reference);
  }
  const domainName = found.kind === 'record' ? found.record.domainName : found.damaged.domainName;
  return await withInstanceLock(host, domainName, 'deleting it', work, async () => {
    const { directory } = host.home.instance(domainName);
    if (!fileExists(directory)) return { domainName, deleted: false };
    await runStep(
      work,
      'deleted',
      `deleting ${domainName}`,
      () => removeInstance(host, domainName, directory),
      () => domainName,
    );
    await refreshSshConfig(host, work);
    return { domainName, deleted: true };
  });
}

async function removeInstance(host: Host, domainName: string, directory: string): Promise<void> {
  const record = await findRecordIn(directory).catch(() => undefined);
  const uuid = record?.uuid ?? (await findUuid(host, domainName));
  const base = record?.disk.base;
  await asMaker(host.home, async (maker) => {
    if (uuid !== undefined) await forgetDomain(host.hypervisor, uuid);
    if (record !== undefined) await releaseAddresses(host.hypervisor, record.interfaces);
    // As long as the record points at the base, nobody removes it.
    if (typeof base === 'string') await markUsed(host.home, base, host.now());
    // Under a temporary name a removal that is cut short is finished by the next command.
    const doomed = maker.temporaryPath(directory);
    await rename(directory, doomed).catch((error: unknown) => {
      throw fileSystemError('remove', directory, error);
    });
    await removeTree(doomed);
  });
}

/** The domain of an instance whose record cannot be read: ours only when its disk is in our directory. */
async function findUuid(host: Host, domainName: string): Promise<string | undefined> {
  const domain = (await host.hypervisor.listDomains()).find((candidate) => candidate.name === domainName);
  if (domain === undefined) return undefined;
  const xml = await host.hypervisor.readDomainXml(domain.uuid, { inactive: true });
  const { disk } = host.home.instance(domainName);
  return parseDomain(xml).disks.some((candidate) => candidate.sourcePath === disk) ? domain.uuid : undefined;
}
