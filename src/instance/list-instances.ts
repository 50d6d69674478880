import { fileExists } from '../host/files.js';
import type { Work } from '../host/work.js';
import type { DomainState } from '../libvirt/hypervisor.js';
import { clearLeftovers } from './clear-leftovers.js';
import { isActive } from './forget-domain.js';
import { findAddresses, type GuestAddress } from './readiness/guest-addresses.js';
import { listInstanceRecords, type InstanceRecord } from './instance-record.js';
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
  /** Of each of its cards, in their order; `network` is libvirt's network or the host's bridge. */
  readonly addresses: readonly Pick<GuestAddress, 'network' | 'address' | 'macAddress'>[];
}

/** All instances, as libvirt and the records together tell; where they differ, that is a problem shown. */
export async function listInstances(host: Host, work: Work = {}): Promise<readonly InstanceView[]> {
  await clearLeftovers(host, work);
  const { records, damaged } = await listInstanceRecords(host.home);
  if (records.length === 0 && damaged.length === 0) return [];
  const domains = new Map((await host.hypervisor.listDomains()).map((domain) => [domain.uuid, domain]));
  const bases = new Map<string, boolean>();
  // Leases and neighbours are read once for all of them.
  const views = records.map((record) => {
    const domainState = domains.get(record.uuid)?.state;
    return viewOf(host, record, { domainState, problems: problemsOf(host, record, domainState, bases) });
  });
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

/** One instance, as the list would show it; its agent is asked where nobody else knows an address. */
export async function viewInstance(host: Host, record: InstanceRecord): Promise<InstanceView> {
  const domainState = (await host.hypervisor.findDomain(record.uuid))?.state;
  const problems = problemsOf(host, record, domainState, new Map());
  return await viewOf(host, record, { domainState, problems }, { agent: true });
}

async function viewOf(
  host: Host,
  record: InstanceRecord,
  { domainState, problems }: Pick<InstanceView, 'domainState' | 'problems'>,
  options: { readonly agent?: boolean } = {},
): Promise<InstanceView> {
  const active = domainState !== undefined && isActive(domainState);
  const found = active ? await addressesOf(host, record, { agent: false }) : [];
  const asking = active && found.length === 0 && options.agent === true;
  return {
    domainName: record.domainName,
    status: record.maker !== null ? 'BUILD' : problems.length > 0 ? 'ERROR' : statusOf(domainState),
    domainState,
    problems,
    record,
    addresses: asking ? await addressesOf(host, record, { agent: true }) : found,
  };
}

/** In the order of the interfaces. A view without addresses is better than none. */
async function addressesOf(
  host: Host,
  record: InstanceRecord,
  options: { readonly agent: boolean },
): Promise<InstanceView['addresses']> {
  const found = await findAddresses(host, record, options).catch(() => []);
  return record.interfaces.flatMap(({ macAddress }) => {
    const own = found.filter((one) => one.macAddress === macAddress);
    const leased = own.some(({ source }) => source === 'lease');
    // What the host heard of long ago, the guest may have had before its lease.
    const current = own.filter(({ source, recent }) => !leased || recent || source === 'lease');
    return current.map(({ network, address }) => ({ network, address, macAddress }));
  });
}

/** @param bases which bases are there, as far as that was looked at: many instances lie on one */
function problemsOf(
  host: Host,
  record: InstanceRecord,
  domainState: DomainState | undefined,
  bases: Map<string, boolean>,
): readonly string[] {
  if (record.maker !== null) return [];
  const problems: string[] = [];
  if (domainState === undefined) problems.push('libvirt has no such domain');
  const { disk } = host.home.instance(record.domainName);
  if (!fileExists(disk)) problems.push('its disk is missing');
  const { base } = record.disk;
  if (base !== null) {
    const exists = bases.get(base) ?? fileExists(host.home.base(base).file);
    bases.set(base, exists);
    if (!exists) problems.push('its base is missing');
  }
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
