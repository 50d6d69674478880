import type { DomainInterface } from '../../domain/domain-spec.js';
import { listBridges } from '../../host/bridges.js';
import { writeFileAtomic } from '../../host/files.js';
import { LaunchError } from '../../host/launch-error.js';
import { takeLock } from '../../host/lock.js';
import type { Maker } from '../../host/maker.js';
import { renderRecord } from '../../host/record.js';
import { checkInterrupted, type Work } from '../../host/work.js';
import { isSession } from '../../libvirt/hypervisor.js';
import { canReserve, hasReservations, releaseAddresses, reserveAddresses } from './dhcp-reservations.js';
import { ensureNetwork } from './ensure-network.js';
import {
  checkPorts,
  choosePorts,
  findRefusedForward,
  forwardsOf,
  throwRefusedForward,
} from './forward-ports.js';
import { listInstanceRecords, type InstanceRecord } from '../instance-record.js';
import { macAddressFor, newMacAddress } from './interface-macs.js';
import type { LibvirtFacts } from './libvirt-facts.js';
import type { Host } from '../open-host.js';
import type { NetworkRequest } from './plan-interfaces.js';
import type { UndoStack } from '../undo.js';

/** What an instance gets when nothing is asked for: a session's libvirt can make no networks of its own. */
export function defaultNetworkOf(uri: string): NetworkRequest {
  return isSession(uri) ? { kind: 'user' } : { kind: 'network', network: 'default' };
}

export function macAddressOf(host: Host, request: NetworkRequest): string {
  return request.kind === 'network' && request.address !== undefined
    ? macAddressFor(host.home.root, request.network, request.address)
    : newMacAddress();
}

/** Names of libvirt's networks among the interfaces, each once. */
function networksOf(interfaces: readonly DomainInterface[]): readonly string[] {
  return [...new Set(interfaces.flatMap((one) => (one.kind === 'network' ? [one.network] : [])))];
}

/**
 * Refuses what cannot be had, before anything is made: networks (which are started), bridges, addresses, MAC
 * addresses, ports.
 *
 * @param asked the requests that the interfaces were planned from
 * @param findFacts the answer of askLibvirt
 * @returns the interfaces with MAC addresses that nobody has
 * @throws LaunchError NETWORK_NOT_FOUND, ADDRESS_INVALID, ADDRESS_IN_USE, PORT_IN_USE, HYPERVISOR_FAILED
 */
export async function prepareInterfaces(
  host: Host,
  interfaces: readonly DomainInterface[],
  asked: readonly NetworkRequest[] | undefined,
  findFacts: () => Promise<LibvirtFacts>,
  work: Work,
): Promise<readonly DomainInterface[]> {
  if (interfaces.length === 0) return interfaces;
  const { records } = await listInstanceRecords(host.home);
  await checkPorts(interfaces, records);
  const { networks, macOwners: owners } = await findFacts();
  for (const network of networksOf(interfaces)) {
    await ensureNetwork(host.hypervisor, network, networks, work);
  }
  // Behind the networks: a bridge may be one's own.
  await checkBridges(interfaces);
  const settled: DomainInterface[] = [];
  for (const [index, one] of interfaces.entries()) {
    const owner = owners.get(one.macAddress);
    const isAsked = asked?.[index]?.macAddress !== undefined;
    if (owner !== undefined && isAsked) throw macInUse(one.macAddress, owner);
    const own = owner === undefined ? one : { ...one, macAddress: unusedMacAddress(owners) };
    if (own.kind === 'network' && own.address !== null) {
      const ours = await canReserve(host.hypervisor, { ...own, address: own.address }, owners);
      settled.push(ours ? own : { ...own, address: null });
    } else settled.push(own);
  }
  return settled;
}

/**
 * Writes the record of a new instance with its interfaces as they will be. What only records can tell of, such
 * as the ports of an instance that is off, is looked at while no other launch of this home does.
 */
export async function withInterfaces<T>(
  host: Host,
  instance: {
    readonly interfaces: readonly DomainInterface[];
    readonly number: number;
    /** Host ports that were tried in vain. */
    readonly avoid?: ReadonlySet<number>;
  },
  work: Work,
  writeRecord: (interfaces: readonly DomainInterface[]) => Promise<T>,
): Promise<T> {
  const { interfaces, number, avoid = new Set<number>() } = instance;
  // A launch on networks alone with new MAC addresses has nothing that another could take from it.
  if (!hasReservations(interfaces) && forwardsOf(interfaces).length === 0)
    return await writeRecord(interfaces);
  const lock = await takeLock(host.home.lock('interfaces'), { work });
  try {
    const { records } = await listInstanceRecords(host.home);
    const others = records.filter((record) => record.number !== number);
    checkRecords(interfaces, others);
    return await writeRecord(await choosePorts(interfaces, { number, others, avoid }));
  } finally {
    await lock.release({ remove: true });
  }
}

/** Everything that the interfaces of an instance need at a start. @throws LaunchError as prepareInterfaces */
export async function checkInterfaces(host: Host, instance: InstanceRecord, work: Work): Promise<void> {
  const { interfaces } = instance;
  await checkPorts(interfaces, await othersOf(host, instance));
  const needed = networksOf(interfaces);
  const networks = needed.length === 0 ? [] : await host.hypervisor.listNetworks();
  for (const network of needed) await ensureNetwork(host.hypervisor, network, networks, work);
  await checkBridges(interfaces);
  // The network may have been defined anew.
  await reserveAddresses(host, interfaces, work);
}

/** Starts a domain; a port that QEMU finds taken is told in our words. */
export async function startOnPorts(host: Host, instance: InstanceRecord): Promise<void> {
  try {
    await host.hypervisor.startDomain(instance.uuid);
  } catch (error) {
    throwRefusedForward(instance.interfaces, await othersOf(host, instance), error);
  }
}

async function othersOf(host: Host, instance: InstanceRecord): Promise<readonly InstanceRecord[]> {
  const { records } = await listInstanceRecords(host.home);
  return records.filter((record) => record.number !== instance.number);
}

async function checkBridges(interfaces: readonly DomainInterface[]): Promise<void> {
  const asked = interfaces.flatMap((one) => (one.kind === 'bridge' ? [one.bridge] : []));
  if (asked.length === 0) return;
  const bridges = await listBridges();
  for (const bridge of asked) {
    if (bridges.includes(bridge)) continue;
    throw new LaunchError('NETWORK_NOT_FOUND', `there is no bridge ${JSON.stringify(bridge)} on this host`, {
      hint: [
        bridges.length === 0 ? 'this host has none' : `there are: ${bridges.join(', ')}`,
        `make one:  ip link add ${/^[\w.-]{1,15}$/.test(bridge) ? bridge : 'br0'} type bridge`,
      ].join('\n'),
      details: { bridges },
    });
  }
}

function checkRecords(interfaces: readonly DomainInterface[], others: readonly InstanceRecord[]): void {
  for (const one of interfaces) {
    for (const { domainName, interfaces: theirs } of others) {
      if (theirs.some(({ macAddress }) => macAddress === one.macAddress)) {
        throw macInUse(one.macAddress, domainName);
      }
      if (one.kind !== 'network' || one.address === null) continue;
      const { network, address } = one;
      if (theirs.some((t) => t.kind === 'network' && t.network === network && t.address === address)) {
        throw new LaunchError(
          'ADDRESS_IN_USE',
          `cannot keep ${address} in the network ${JSON.stringify(network)}: it is kept for ${domainName}`,
          { hint: `take another one, or:  launch delete ${domainName}`, details: { network, address } },
        );
      }
    }
  }
}

function unusedMacAddress(owners: ReadonlyMap<string, string>): string {
  for (;;) {
    const macAddress = newMacAddress();
    if (!owners.has(macAddress)) return macAddress;
  }
}

function macInUse(macAddress: string, owner: string): LaunchError {
  return new LaunchError('ADDRESS_IN_USE', `the MAC address ${macAddress} is that of ${owner}`, {
    hint: 'leave mac= out to get a new one',
    details: { macAddress, domainName: owner },
  });
}

/** Keeps the addresses that a new instance asked for, with the way back. */
export async function keepAddresses(
  host: Host,
  record: InstanceRecord,
  undo: UndoStack,
  work: Work,
): Promise<void> {
  if (!hasReservations(record.interfaces)) return;
  undo.push(`the address of ${record.domainName}`, () =>
    releaseAddresses(host.hypervisor, record.interfaces),
  );
  await reserveAddresses(host, record.interfaces, work);
}

const maximumPortTries = 20;

/**
 * Runs the definition and the start of a new domain, and once more on another port when somebody listens by
 * then on one that was left to us.
 *
 * @param planned the interfaces as they were asked for, host port 0 where it was left to us
 */
export async function onFreePorts(
  host: Host,
  launch: {
    readonly record: InstanceRecord;
    readonly planned: readonly DomainInterface[];
    readonly maker: Maker;
  },
  work: Work,
  run: (record: InstanceRecord) => Promise<InstanceRecord>,
): Promise<InstanceRecord> {
  const { planned, maker } = launch;
  const avoid = new Set<number>();
  for (let record = launch.record; ;) {
    try {
      return await run(record);
    } catch (error) {
      const refused = findRefusedForward(record.interfaces, error);
      const isAsked = forwardsOf(planned).some(({ hostPort }) => hostPort === refused?.hostPort);
      if (refused === undefined || isAsked || avoid.size === maximumPortTries) {
        throwRefusedForward(record.interfaces, await othersOf(host, record), error);
      }
      work.onEvent?.({
        type: 'notice',
        message: `somebody took the port ${refused.hostPort} meanwhile, trying another`,
      });
      checkInterrupted(work);
      avoid.add(refused.hostPort);
      const { number, domainName } = record;
      const previous = record;
      record = await withInterfaces(
        host,
        { interfaces: planned, number, avoid },
        work,
        async (interfaces) => {
          const moved = { ...previous, interfaces };
          await writeFileAtomic(host.home.instance(domainName).record, renderRecord(moved), maker);
          return moved;
        },
      );
    }
  }
}

/** The interfaces as a launch would have them at this moment; asks no libvirt. */
export async function previewInterfaces(
  host: Host,
  interfaces: readonly DomainInterface[],
  number: number,
): Promise<readonly DomainInterface[]> {
  await checkBridges(interfaces);
  const { records } = await listInstanceRecords(host.home);
  await checkPorts(interfaces, records);
  return await choosePorts(interfaces, { number, others: records, avoid: new Set() });
}
