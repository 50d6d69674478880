import type { DomainInterface, NetworkInterface } from '../../domain/domain-spec.js';
import { parseNetwork, type DhcpHostEntry, type NetworkDhcp } from '../../domain/parse-network.js';
import { LaunchError } from '../../host/launch-error.js';
import { formatIpv4, parseIpv4 } from '../../host/network-address.js';
import { runStep, type Work } from '../../host/work.js';
import type { Hypervisor } from '../../libvirt/hypervisor.js';
import type { Host } from '../open-host.js';

type ReservedInterface = NetworkInterface & { readonly address: string };

function isReserved(one: DomainInterface): one is ReservedInterface {
  return one.kind === 'network' && one.address !== null;
}

export function hasReservations(interfaces: readonly DomainInterface[]): boolean {
  return interfaces.some(isReserved);
}

/**
 * Whether the network can keep this address for this card, by its own words and those of its DHCP server.
 *
 * @param owners who has which MAC address, to say whose the address is
 * @returns false when an entry of the network's own keeps it for this card: there is nothing to add, or to
 * take back
 * @throws LaunchError ADDRESS_INVALID, ADDRESS_IN_USE
 */
export async function canReserve(
  hypervisor: Hypervisor,
  one: ReservedInterface,
  owners: ReadonlyMap<string, string>,
): Promise<boolean> {
  const { network, address, macAddress } = one;
  const { dhcp } = parseNetwork(await hypervisor.readNetworkXml(network));
  if (dhcp === undefined) {
    throw new LaunchError(
      'ADDRESS_INVALID',
      `cannot keep ${address}: the network ${JSON.stringify(network)} has no DHCP server of libvirt's for IPv4`,
      { hint: 'leave ip= out, and set the address in the guest', details: { network, address } },
    );
  }
  checkSubnet(one, dhcp);
  const kept = parseNetwork(await hypervisor.readNetworkXml(network, { inactive: true })).dhcp?.hosts ?? [];
  for (const entry of [...dhcp.hosts, ...kept]) {
    if (entry.macAddress === macAddress && entry.address === address) return false;
    if (entry.address === address) throw inUse(one, `it is kept for ${nameOf(entry, owners)}`);
    if (entry.macAddress === macAddress) {
      throw inUse(one, `the network keeps ${entry.address ?? 'another'} for ${macAddress} already`);
    }
  }
  await checkLeases(hypervisor, one, owners);
  return true;
}

function checkSubnet({ network, address }: ReservedInterface, { subnet, gateway }: NetworkDhcp): void {
  const number = parseIpv4(address) ?? -1;
  const isInside = number > subnet.first && number < subnet.last;
  if (isInside && address !== gateway) return;
  const text = `${formatIpv4(subnet.first)}/${subnet.prefix}`;
  const why = isInside
    ? 'it is the address of this host there'
    : number === subnet.first || number === subnet.last
      ? `it is an end of ${text}`
      : `it does not lie in ${text}`;
  throw new LaunchError(
    'ADDRESS_INVALID',
    `cannot keep ${address} in the network ${JSON.stringify(network)}: ${why}`,
    {
      hint: `take one from ${formatIpv4(subnet.first + 1)} to ${formatIpv4(subnet.last - 1)}, but not ${gateway}, which is this host`,
      details: { network, address },
    },
  );
}

/** dnsmasq gives an address that is leased to nobody else, kept for him or not. */
async function checkLeases(
  hypervisor: Hypervisor,
  one: ReservedInterface,
  owners: ReadonlyMap<string, string>,
): Promise<void> {
  const lease = (await hypervisor.listLeases(one.network)).find(({ address }) => address === one.address);
  if (lease === undefined || lease.macAddress === one.macAddress) return;
  const owner = owners.get(lease.macAddress);
  if (owner !== undefined) throw inUse(one, `${owner} has a lease of it`);
  throw inUse(
    one,
    `${lease.macAddress}, which no domain has any more, holds a lease of it`,
    `wait until that ends (virsh net-dhcp-leases ${one.network}), or take its card's place:  ip=${one.address},mac=${lease.macAddress}`,
  );
}

function nameOf({ macAddress, name }: DhcpHostEntry, owners: ReadonlyMap<string, string>): string {
  const owner = macAddress === undefined ? undefined : owners.get(macAddress);
  return [owner ?? name, macAddress].filter((text) => text !== undefined).join(', ');
}

function inUse({ network, address }: ReservedInterface, why: string, hint?: string): LaunchError {
  return new LaunchError(
    'ADDRESS_IN_USE',
    `cannot keep ${address} in the network ${JSON.stringify(network)}: ${why}`,
    {
      hint: hint ?? `take another one; those that are kept:  virsh net-dumpxml ${network}`,
      details: { network, address },
    },
  );
}

/** Makes each network keep the addresses that the instance asked for; what is kept already stays so. */
export async function reserveAddresses(
  host: Host,
  interfaces: readonly DomainInterface[],
  work: Work,
): Promise<void> {
  const reserved = interfaces.filter(isReserved);
  if (reserved.length === 0) return;
  await runStep(
    work,
    'address',
    'keeping the address',
    async () => {
      for (const one of reserved) await reserveAddress(host.hypervisor, one);
    },
    () => reserved.map(({ network, address }) => `${address} of ${network}`).join(', '),
  );
}

async function reserveAddress(hypervisor: Hypervisor, one: ReservedInterface): Promise<void> {
  const { persistent } = await hypervisor.readNetworkSettings(one.network);
  const missing = await findPlaces(hypervisor, one, { persistent, active: true }, false);
  if (!missing.live && !missing.config) return;
  try {
    await hypervisor.addDhcpHost(one.network, one, missing);
  } catch (error) {
    // Somebody else may have come between our look and our call; libvirt's words would not say who.
    await canReserve(hypervisor, one, new Map());
    throw error;
  }
}

/**
 * Makes the networks forget the addresses that they kept for the instance. Networks, and entries, that are
 * gone are fine; entries of others are not touched.
 */
export async function releaseAddresses(
  hypervisor: Hypervisor,
  interfaces: readonly DomainInterface[],
): Promise<void> {
  const reserved = interfaces.filter(isReserved);
  if (reserved.length === 0) return;
  const networks = new Map((await hypervisor.listNetworks()).map(({ name, active }) => [name, active]));
  for (const one of reserved) {
    const active = networks.get(one.network);
    if (active === undefined) continue;
    const { persistent } = await hypervisor.readNetworkSettings(one.network);
    const places = { persistent, active };
    const there = await findPlaces(hypervisor, one, places, true);
    for (const place of ['live', 'config'] as const) {
      if (!there[place]) continue;
      const only = { live: place === 'live', config: place === 'config' };
      await hypervisor.removeDhcpHost(one.network, one, only).catch(async (error: unknown) => {
        if ((await findPlaces(hypervisor, one, places, true))[place]) throw error;
      });
    }
  }
}

/** In which of a network's two documents the entry is, or is missing. */
async function findPlaces(
  hypervisor: Hypervisor,
  one: ReservedInterface,
  network: { readonly persistent: boolean; readonly active: boolean },
  present: boolean,
): Promise<{ readonly live: boolean; readonly config: boolean }> {
  const has = async (inactive: boolean) => {
    const { dhcp } = parseNetwork(await hypervisor.readNetworkXml(one.network, { inactive }));
    const found = dhcp?.hosts.some(
      (entry) => entry.macAddress === one.macAddress && entry.address === one.address,
    );
    return (found ?? false) === present;
  };
  return {
    live: network.active && (await has(false)),
    config: network.persistent && (await has(true)),
  };
}
