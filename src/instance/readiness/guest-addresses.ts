import { isIP } from 'node:net';
import * as v from 'valibot';
import type { DomainInterface } from '../../domain/domain-spec.js';
import { LaunchError } from '../../host/launch-error.js';
import { readNeighbours } from '../../host/neighbours.js';
import type { InstanceRecord } from '../instance-record.js';
import type { Host } from '../open-host.js';
import { shareLookup } from './shared-lookup.js';

export interface GuestAddress {
  readonly address: string;
  readonly family: 'ipv4' | 'ipv6';
  /** Who told: libvirt's DHCP server, the host's table of neighbours, or the guest's agent. */
  readonly source: 'lease' | 'neighbour' | 'agent';
  readonly macAddress: string;
  /** libvirt's network, or the host's bridge. */
  readonly network: string;
  /** Told by the guest itself, or heard of a moment ago; a lease outlives its guest. */
  readonly recent: boolean;
}

/** An interface on which the host can meet the guest. */
type OpenInterface = Exclude<DomainInterface, { kind: 'user' }>;

const agentTimeoutSeconds = 3;

/**
 * The addresses of a guest that this host can use, IPv4 before IPv6, each once, without link-local ones.
 * Leases, neighbours and the guest agent are asked; who cannot answer is passed over.
 *
 * @param options.agent false: the agent is not asked, which takes a process and up to three seconds
 */
export async function findAddresses(
  host: Host,
  instance: InstanceRecord,
  options: { readonly agent?: boolean } = {},
): Promise<readonly GuestAddress[]> {
  const interfaces = instance.interfaces.filter((one): one is OpenInterface => one.kind !== 'user');
  if (interfaces.length === 0) return [];
  const found = await Promise.all([
    readLeases(host, interfaces),
    readFromNeighbours(host, interfaces),
    options.agent === false ? [] : askAgent(host, instance, interfaces),
  ]);
  return sortAddresses(found.flat(), interfaces);
}

/** Pure: the order in which addresses are tried and shown. */
export function sortAddresses(
  found: readonly GuestAddress[],
  interfaces: readonly { readonly macAddress: string }[],
): readonly GuestAddress[] {
  const place = (one: GuestAddress) =>
    (one.family === 'ipv4' ? 0 : 1000) +
    interfaces.findIndex(({ macAddress }) => macAddress === one.macAddress) * 10 +
    ['lease', 'neighbour', 'agent'].indexOf(one.source);
  const sorted = found.filter(({ address }) => isUsable(address)).sort((a, b) => place(a) - place(b));
  const byAddress = new Map<string, GuestAddress>();
  for (const one of sorted) {
    const known = byAddress.get(one.address);
    byAddress.set(one.address, known === undefined ? one : { ...known, recent: known.recent || one.recent });
  }
  return [...byAddress.values()];
}

/** Not this host's idea of itself, and nothing that means another machine on each network. */
function isUsable(address: string): boolean {
  return isIP(address) !== 0 && !/^(127\.|0\.|169\.254\.|::1?$|fe[89ab])/i.test(address);
}

function familyOf(address: string): GuestAddress['family'] {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

async function readLeases(
  host: Host,
  interfaces: readonly OpenInterface[],
): Promise<readonly GuestAddress[]> {
  const found = await Promise.all(
    interfaces.map(async (one): Promise<readonly GuestAddress[]> => {
      if (one.kind !== 'network') return [];
      const { network, macAddress } = one;
      const leases = await orNothing(
        shareLookup(host.hypervisor, `leases ${network}`, () => host.hypervisor.listLeases(network)),
      );
      return leases
        .filter((lease) => lease.macAddress === macAddress)
        .map(({ address }) => ({
          ...{ address, family: familyOf(address), source: 'lease', macAddress, network, recent: false },
        }));
    }),
  );
  return found.flat();
}

async function readFromNeighbours(
  host: Host,
  interfaces: readonly OpenInterface[],
): Promise<readonly GuestAddress[]> {
  const neighbours = await shareLookup(host.runner, 'neighbours', () => readNeighbours(host.runner));
  return neighbours.flatMap(({ address, macAddress, recent }): readonly GuestAddress[] => {
    const one = interfaces.find((candidate) => candidate.macAddress === macAddress);
    if (one === undefined) return [];
    return [
      { address, family: familyOf(address), source: 'neighbour', macAddress, network: nameOf(one), recent },
    ];
  });
}

/** QEMU's docs/interop/qemu-ga-ref: GuestNetworkInterface. */
const agentInterfacesSchema = v.array(
  v.object({
    'hardware-address': v.optional(v.string()),
    'ip-addresses': v.optional(v.array(v.object({ 'ip-address': v.string() })), []),
  }),
);

async function askAgent(
  host: Host,
  instance: InstanceRecord,
  interfaces: readonly OpenInterface[],
): Promise<readonly GuestAddress[]> {
  const request = { execute: 'guest-network-get-interfaces' };
  const answer = await host.hypervisor
    .askAgent(instance.uuid, request, { timeoutSeconds: agentTimeoutSeconds })
    .catch(passOver);
  const parsed = v.safeParse(agentInterfacesSchema, answer);
  if (!parsed.success) return [];
  return parsed.output.flatMap((card) => {
    const macAddress = card['hardware-address']?.toLowerCase();
    // A guest has networks of its own inside (containers): those are nobody's to reach.
    const one = interfaces.find((candidate) => candidate.macAddress === macAddress);
    if (one === undefined) return [];
    return card['ip-addresses'].map(({ 'ip-address': address }): GuestAddress => ({
      ...{ address, family: familyOf(address), source: 'agent', macAddress: one.macAddress, recent: true },
      network: nameOf(one),
    }));
  });
}

function nameOf(one: OpenInterface): string {
  return one.kind === 'network' ? one.network : one.bridge;
}

async function orNothing<T>(asked: Promise<readonly T[]>): Promise<readonly T[]> {
  return (await asked.catch(passOver)) ?? [];
}

/** Who cannot answer now may do so later; that libvirt is not there at all is for the caller. */
function passOver(error: unknown): undefined {
  if (error instanceof LaunchError && error.code !== 'HYPERVISOR_UNREACHABLE') return undefined;
  throw error;
}
