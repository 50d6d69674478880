import { realpath } from 'node:fs/promises';
import { readWrittenBacking } from '../disk/qcow2-backing.js';
import { parseDomain } from '../domain/parse-domain.js';
import { listInstanceRecords } from './instance-record.js';
import type { Host } from './open-host.js';

const maximumLinks = 64;

/**
 * Which domains and records have each file in a backing chain of theirs: instances of ours, and every
 * domain of libvirt whoever made it. Files by their real path; users by their domain's name, sorted.
 */
export async function readFileUsers(host: Host): Promise<ReadonlyMap<string, readonly string[]>> {
  const users = new Map<string, Set<string>>();
  const use = async (path: string, user: string): Promise<void> => {
    for (const link of await chainPaths(path)) {
      const known = users.get(link) ?? new Set();
      users.set(link, known.add(user));
    }
  };
  const { records, damaged } = await listInstanceRecords(host.home);
  for (const record of records) {
    await use(host.home.instance(record.domainName).disk, record.domainName);
    // The record counts even when the disk is gone or no longer says so.
    if (record.disk.base !== null) await use(host.home.base(record.disk.base).file, record.domainName);
  }
  for (const { domainName } of damaged) await use(host.home.instance(domainName).disk, domainName);
  for (const domain of await host.hypervisor.listDomains()) {
    const xml = await host.hypervisor.readDomainXml(domain.uuid).catch(() => undefined);
    if (xml === undefined) continue;
    for (const disk of parseDomain(xml).disks) {
      const { volume } = disk;
      const volumePath =
        volume === undefined ? undefined : await host.hypervisor.findVolumePath(volume.pool, volume.name);
      for (const path of volumePath === undefined ? disk.hostPaths : [...disk.hostPaths, volumePath]) {
        await use(path, domain.name);
      }
    }
  }
  return new Map([...users].map(([path, names]) => [path, [...names].sort()]));
}

export async function realPathOf(path: string): Promise<string> {
  return await realpath(path).catch(() => path);
}

async function chainPaths(path: string): Promise<readonly string[]> {
  const paths: string[] = [];
  let next: string | undefined = path;
  while (next !== undefined && paths.length < maximumLinks) {
    const real: string = await realPathOf(next);
    if (paths.includes(real)) break;
    paths.push(real);
    next = (await readWrittenBacking(real))?.path;
  }
  return paths;
}
