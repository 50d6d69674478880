import { realpath } from 'node:fs/promises';
import { pathsNamedIn, readWrittenBacking } from '../../disk/qcow2-backing.js';
import type { DescribedDisk } from '../../domain/domain-description.js';
import { parseDomain } from '../../domain/parse-domain.js';
import { sideBySide } from '../../host/side-by-side.js';
import type { DomainSummary } from '../../libvirt/hypervisor.js';
import { isActive } from '../forget-domain.js';
import { listInstanceRecords } from '../instance-record.js';
import type { Host } from '../open-host.js';

const maximumLinks = 64;
/** Libvirt answers several questions at a time, and so does a disk. */
const looksAtATime = 16;

/**
 * Which domains and records have each file in a backing chain of theirs: instances of ours, and every
 * domain of libvirt whoever made it. Files by their real path; users by their domain's name, sorted.
 */
export async function readFileUsers(host: Host): Promise<ReadonlyMap<string, readonly string[]>> {
  const users = new Map<string, Set<string>>();
  const chains = new Map<string, Promise<readonly string[]>>();
  const use = async (path: string, user: string): Promise<void> => {
    // An instance's disk is named by its record and by its domain.
    const chain = chains.get(path) ?? chainPaths(path);
    chains.set(path, chain);
    for (const link of await chain) {
      const known = users.get(link) ?? new Set();
      users.set(link, known.add(user));
    }
  };
  const { records, damaged } = await listInstanceRecords(host.home);
  await sideBySide(records, looksAtATime, async (record) => {
    await use(host.home.instance(record.domainName).disk, record.domainName);
    // The record counts even when the disk is gone or no longer says so.
    if (record.disk.base !== null) await use(host.home.base(record.disk.base).file, record.domainName);
  });
  for (const { domainName } of damaged) await use(host.home.instance(domainName).disk, domainName);
  await sideBySide(await host.hypervisor.listDomains(), looksAtATime, async (domain) => {
    for (const disk of await readDisks(host, domain)) {
      const { volume } = disk;
      const volumePath =
        volume === undefined ? undefined : await host.hypervisor.findVolumePath(volume.pool, volume.name);
      for (const path of volumePath === undefined ? disk.hostPaths : [...disk.hostPaths, volumePath]) {
        await use(path, domain.name);
      }
    }
  });
  return new Map([...users].map(([path, names]) => [path, [...names].sort()]));
}

/** The disks that a domain has now, and those that its next start will have. */
async function readDisks(host: Host, domain: DomainSummary): Promise<readonly DescribedDisk[]> {
  const { hypervisor } = host;
  try {
    const documents = [await hypervisor.readDomainXml(domain.uuid)];
    if (isActive(domain.state)) {
      documents.push(await hypervisor.readDomainXml(domain.uuid, { inactive: true }));
    }
    return documents.flatMap((xml) => parseDomain(xml).disks);
  } catch (error) {
    // One that is gone by now uses nothing; any other may use what is about to be removed.
    if ((await hypervisor.findDomain(domain.uuid)) === undefined) return [];
    throw error;
  }
}

export async function realPathOf(path: string): Promise<string> {
  return await realpath(path).catch(() => path);
}

async function chainPaths(path: string): Promise<readonly string[]> {
  const paths: string[] = [];
  const left = [path];
  for (let next = left.pop(); next !== undefined && paths.length < maximumLinks; next = left.pop()) {
    const real = await realPathOf(next);
    if (paths.includes(real)) continue;
    paths.push(real);
    const backing = await readWrittenBacking(real);
    if (backing !== undefined) left.push(...pathsNamedIn(backing.path));
  }
  return paths;
}
