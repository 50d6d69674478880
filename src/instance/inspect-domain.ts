import { readBackingChain, type ChainLink } from '../disk/backing-chain.js';
import { measureOverlap, type Overlap } from '../disk/overlap.js';
import type { DescribedDisk } from '../domain/domain-description.js';
import { parseDomain } from '../domain/parse-domain.js';
import { findBase } from '../disk/base-record.js';
import { LaunchError } from '../host/launch-error.js';
import type { Work } from '../host/work.js';
import type { DomainSummary } from '../libvirt/hypervisor.js';
import { clearLeftovers } from './clear-leftovers.js';
import { readFileUsers, realPathOf } from './bases/base-users.js';
import { findInstance, instanceNotFound } from './find-instance.js';
import type { InstanceRecord } from './instance-record.js';
import type { Host } from './open-host.js';

export interface DomainInspection {
  readonly domain: DomainSummary;
  readonly virtType: string | undefined;
  readonly machineType: string | undefined;
  readonly memoryMib: number | undefined;
  readonly vcpus: number | undefined;
  /** undefined for a domain that `launch` did not make. */
  readonly instance: InstanceRecord | undefined;
  readonly disks: readonly DiskReport[];
}

export interface DiskReport {
  /** The guest's name of it: `vda`. */
  readonly target: string;
  /** undefined for an empty drive or a disk that is no file. */
  readonly source: string | undefined;
  readonly driverType: string | undefined;
  /** Whether the driver type is the format that the file's own header shows. */
  readonly driverTypeMatches: boolean | undefined;
  /** The overlay first, its base last. */
  readonly chain: readonly ChainReport[];
  /** How much of the base the overlay hides; undefined when there is no base. */
  readonly overlap: Overlap | undefined;
}

export interface ChainReport extends ChainLink {
  /** Other domains and instances that have the same file in a chain. */
  readonly sharedWith: readonly string[];
  /** For a base of ours. */
  readonly base?: { readonly imageId: string; readonly digest: string | null; readonly verifiedAt: string };
}

/**
 * What a domain's disks are made of, read from libvirt and from the files; runs on a live guest, and on
 * any domain, whoever made it.
 *
 * @param reference an instance as everywhere, or a name or uuid of any domain
 * @throws LaunchError INSTANCE_NOT_FOUND, DOMAIN_NOT_FOUND
 */
export async function inspectDomain(
  host: Host,
  reference: string,
  work: Work = {},
): Promise<DomainInspection> {
  await clearLeftovers(host, work);
  const { domain, instance } = await getDomain(host, reference);
  const description = parseDomain(await host.hypervisor.readDomainXml(domain.uuid));
  const users = await readFileUsers(host);
  const disks: DiskReport[] = [];
  for (const disk of description.disks) {
    disks.push(await inspectDisk(host, disk, domain, users, work));
  }
  return {
    domain,
    virtType: description.virtType,
    machineType: description.machineType,
    memoryMib: description.memoryMib,
    vcpus: description.vcpus,
    instance,
    disks,
  };
}

async function getDomain(
  host: Host,
  reference: string,
): Promise<{ readonly domain: DomainSummary; readonly instance: InstanceRecord | undefined }> {
  const found = await findInstance(host, reference);
  const instance = found?.kind === 'record' ? found.record : undefined;
  const domain =
    instance === undefined
      ? (await host.hypervisor.listDomains()).find(
          ({ name, uuid }) => name === reference || uuid === reference.toLowerCase(),
        )
      : await host.hypervisor.findDomain(instance.uuid);
  if (domain !== undefined) return { domain, instance };
  if (instance === undefined) throw await instanceNotFound(host, reference);
  throw new LaunchError('DOMAIN_NOT_FOUND', `libvirt has no domain for ${instance.domainName} any more`, {
    hint: `define and start it again:  launch start ${instance.domainName}    or:  launch delete ${instance.domainName}`,
  });
}

async function inspectDisk(
  host: Host,
  disk: DescribedDisk,
  domain: DomainSummary,
  users: ReadonlyMap<string, readonly string[]>,
  work: Work,
): Promise<DiskReport> {
  const { volume, driverType } = disk;
  const source =
    volume === undefined ? disk.sourcePath : await host.hypervisor.findVolumePath(volume.pool, volume.name);
  const bare = { target: disk.target ?? '-', source, driverType };
  if (source === undefined) return { ...bare, driverTypeMatches: undefined, chain: [], overlap: undefined };
  // libvirt's default when the XML names none.
  const format = driverType ?? 'raw';
  const links = await readBackingChain({ path: source, format }, host.qemuImg, work);
  const chain = await Promise.all(links.map((link) => reportLink(host, link, domain, users)));
  const detected = links[0]?.detectedFormat;
  return {
    ...bare,
    // To QEMU a CD's image is a raw disk like any other.
    driverTypeMatches:
      detected === undefined ? undefined : (detected === 'iso' ? 'raw' : detected) === format,
    chain,
    overlap: await measureOverlap(links, host.qemuImg, work),
  };
}

async function reportLink(
  host: Host,
  link: ChainLink,
  domain: DomainSummary,
  users: ReadonlyMap<string, readonly string[]>,
): Promise<ChainReport> {
  const real = await realPathOf(link.path);
  const sharedWith = (users.get(real) ?? []).filter((user) => user !== domain.name);
  const base = await findBaseAt(host, real);
  return { ...link, sharedWith, ...(base === undefined ? {} : { base }) };
}

async function findBaseAt(host: Host, path: string): Promise<ChainReport['base']> {
  const bases = await realPathOf(host.home.bases);
  if (!path.startsWith(`${bases}/`)) return undefined;
  const base = await findBase(host.home, path.slice(bases.length + 1)).catch(() => undefined);
  return base === undefined
    ? undefined
    : { imageId: base.imageId, digest: base.digest, verifiedAt: base.verifiedAt };
}
