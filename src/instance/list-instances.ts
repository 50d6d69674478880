import { fileExists } from '../host/files.js';
import type { Work } from '../host/work.js';
import type { DomainState, NetworkLease } from '../libvirt/hypervisor.js';
import { clearLeftovers } from './clear-leftovers.js';
import { isActive } from './forget-domain.js';
import { listInstanceRecords, type InstanceRecord } from './instance-record.js';
import { networksOf } from './launch-networks.js';
import type { Host } from './open-host.js';

/** Nova's words for what an instance is doing. */
export type InstanceStatus = 'ACTIVE' | 'PAUSED' | 'SUSPENDED' | 'SHUTOFF' | 'BUILD' | 'ERROR';

export interface InstanceView {
  readonly domainName: string;
  readonly status: InstanceStatus;
  /** libvirt's word; undefined when it has no such domain. */
  readonly domainState: DomainState | undefined;
  /** What is wrong with it, for people; empty when all is there. */
  readonly problems: readonly string[];
  /** undefined when the record cannot be read. */
  readonly record: InstanceRecord | undefined;
  readonly addresses: readonly { readonly network: string; readonly address: string }[];
}

/** All instances, as libvirt and the records together tell; where they differ, that is a problem shown. */
export async function listInstances(host: Host, work: Work = {}): Promise<readonly InstanceView[]> {
  await clearLeftovers(host, work);
  const { records, damaged } = await listInstanceRecords(host.home);
  if (records.length === 0 && damaged.length === 0) return [];
  const domains = new Map((await host.hypervisor.listDomains()).map((domain) => [domain.uuid, domain]));
  const leases = await readLeases(
    host,
    records.filter((record) => isActive(domains.get(record.uuid)?.state ?? 'shut off')),
  );
  const views = records.map((record) => viewOf(host, record, domains.get(record.uuid)?.state, leases));
  return [
    ...(await Promise.all(views)),
    ...damaged.map(({ domainName, problem }): InstanceView => ({
      domainName,
      status: 'ERROR',
      domainState: undefined,
      problems: [problem],
      record: undefined,
      addresses: [],
    })),
  ];
}

/** One instance, as the list would show it. */
export async function viewInstance(host: Host, record: InstanceRecord): Promise<InstanceView> {
  const domain = await host.hypervisor.findDomain(record.uuid);
  const active = domain !== undefined && isActive(domain.state);
  return await viewOf(host, record, domain?.state, active ? await readLeases(host, [record]) : new Map());
}

async function viewOf(
  host: Host,
  record: InstanceRecord,
  domainState: DomainState | undefined,
  leases: ReadonlyMap<string, readonly NetworkLease[]>,
): Promise<InstanceView> {
  const problems = await problemsOf(host, record, domainState);
  const active = domainState !== undefined && isActive(domainState);
  return {
    domainName: record.domainName,
    status: record.maker !== null ? 'BUILD' : problems.length > 0 ? 'ERROR' : statusOf(domainState),
    domainState,
    problems,
    record,
    addresses: active ? addressesOf(record, leases) : [],
  };
}

/** In the order of the interfaces. */
function addressesOf(
  record: InstanceRecord,
  leases: ReadonlyMap<string, readonly NetworkLease[]>,
): InstanceView['addresses'] {
  return record.interfaces.flatMap((one) => {
    if (one.kind !== 'network') return [];
    const found = (leases.get(one.network) ?? []).filter(({ macAddress }) => macAddress === one.macAddress);
    return found.map(({ address }) => ({ network: one.network, address }));
  });
}

async function problemsOf(
  host: Host,
  record: InstanceRecord,
  domainState: DomainState | undefined,
): Promise<readonly string[]> {
  if (record.maker !== null) return [];
  const problems: string[] = [];
  if (domainState === undefined) problems.push('libvirt has no such domain');
  const { disk } = host.home.instance(record.domainName);
  if (!(await fileExists(disk))) problems.push('its disk is missing');
  const { base } = record.disk;
  if (base !== null && !(await fileExists(host.home.base(base).file))) problems.push('its base is missing');
  return problems;
}

function statusOf(state: DomainState | undefined): InstanceStatus {
  switch (state) {
    case 'running':
    case 'idle':
    case 'in shutdown':
      return 'ACTIVE';
    case 'paused':
      return 'PAUSED';
    case 'pmsuspended':
      return 'SUSPENDED';
    case 'shut off':
      return 'SHUTOFF';
    case 'crashed':
    case 'no state':
    case undefined:
      return 'ERROR';
  }
}

/** Leases by network, of the networks that the instances use. */
async function readLeases(
  host: Host,
  records: readonly InstanceRecord[],
): Promise<ReadonlyMap<string, readonly NetworkLease[]>> {
  const names = new Set(records.flatMap((record) => networksOf(record.interfaces)));
  return new Map(
    await Promise.all(
      [...names].map(async (name): Promise<[string, readonly NetworkLease[]]> => {
        // A list without addresses is better than none.
        return [name, await host.hypervisor.listLeases(name).catch(() => [])];
      }),
    ),
  );
}
