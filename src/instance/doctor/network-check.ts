import { join } from 'node:path';
import { fileExists, readTextFile } from '../../host/files.js';
import { installCommand } from '../../host/install-command.js';
import { LaunchError } from '../../host/launch-error.js';
import type { Examination } from './examination.js';
import { shellQuote, shortList, type Finding, type Problem } from './finding.js';
import { overlap, parseSubnet } from './ipv4.js';
import { parseNetwork, type NetworkDocument } from './network-document.js';

/** The network of libvirt that guests are on: defined, active, and nobody else's addresses. */
export async function checkNetwork(examination: Examination): Promise<Finding> {
  const { network: name } = examination.places;
  const { hypervisor } = examination.host;
  const networks = await examination.networks();
  const summary = networks.find((network) => network.name === name);
  // There a launch takes QEMU's own network unless another is named, and may make none.
  if (summary === undefined && !examination.isSystem) {
    return { found: `${name} is not there, and not needed: guests are on --network user`, problems: [] };
  }
  if (summary === undefined)
    return await missingNetwork(
      examination,
      networks.map((network) => network.name),
    );
  const [document, settings, taken] = await Promise.all([
    examination.network(),
    hypervisor.readNetworkSettings(name),
    examination.isLocal ? findTakenSubnets(examination) : undefined,
  ]);
  const clashes = (taken ?? []).filter((other) => clashesWith(document, other));
  const problems: Problem[] = [];
  const [clash] = clashes;
  if (clash !== undefined) problems.push(clashProblem(document, clash, summary.active));
  if (!summary.active) {
    problems.push({
      level: 'warning',
      found: `the network ${JSON.stringify(name)} is not active`,
      why: 'a launch starts it; guests that are started otherwise have no network, and do not start',
      cure: {
        text: 'start it',
        command: `virsh net-start ${shellQuote(name)}`,
        ...(clash === undefined
          ? {
              fix: async () => {
                await hypervisor.startNetwork(name);
                return `started the network ${JSON.stringify(name)}`;
              },
            }
          : {}),
      },
    });
  } else if (examination.isLocal && (await isBridgeLost(examination, document))) {
    problems.push({
      level: 'failed',
      found: `libvirt believes that ${JSON.stringify(name)} is active, but its bridge ${document.bridge ?? ''} is gone`,
      why: 'guests on it do not start, and those that run have lost their network',
      cure: {
        text: 'restart the network, then the guests on it',
        command: `virsh net-destroy ${shellQuote(name)}; virsh net-start ${shellQuote(name)}`,
      },
    });
  }
  if (!settings.autostart && settings.persistent) {
    problems.push({
      level: 'note',
      found: `the network ${JSON.stringify(name)} does not start with libvirt`,
      why: 'after a reboot, guests started by virsh or by autostart find no network; a launch starts it itself',
      cure: {
        text: 'let it start',
        command: `virsh net-autostart ${shellQuote(name)}`,
        fix: async () => {
          await hypervisor.setNetworkAutostart(name);
          return `the network ${JSON.stringify(name)} starts with libvirt from now on`;
        },
      },
    });
  }
  return {
    found: [
      `${name}: ${summary.active ? 'active' : 'not active'}`,
      document.forward ?? 'isolated',
      ...(document.bridge === undefined ? [] : [document.bridge]),
      ...(document.subnet === undefined ? [] : [document.subnet]),
    ].join(', '),
    problems,
    facts: { ...summary, ...settings, ...document, clashes },
  };
}

async function missingNetwork(examination: Examination, names: readonly string[]): Promise<Finding> {
  const { network: name } = examination.places;
  const { hypervisor } = examination.host;
  const kept = examination.isLocal
    ? await findDocument(examination.places.networkDocuments, name)
    : undefined;
  const taken = kept === undefined ? undefined : await findTakenSubnets(examination);
  const clash = taken?.find((other) => kept !== undefined && clashesWith(kept.document, other));
  return {
    found: `there is no network ${JSON.stringify(name)}`,
    problems: [
      {
        level: 'failed',
        found: `libvirt has no network ${JSON.stringify(name)}`,
        why: `guests are put on it; ${names.length === 0 ? 'there is no other' : `there are: ${shortList(names)}`} (--network)`,
        cure: {
          text:
            clash === undefined
              ? 'define it, and start it'
              : `define it with another subnet: ${clash.subnet} is already on ${clash.device}`,
          command:
            kept !== undefined
              ? `virsh net-define ${shellQuote(kept.path)} && virsh net-start ${shellQuote(name)}`
              : name === 'default'
                ? installCommand(['libvirt-daemon-config-network'])
                : 'virsh net-define FILE',
          ...(kept === undefined || clash !== undefined
            ? {}
            : {
                fix: async () => {
                  await hypervisor.defineNetwork(kept.path);
                  await hypervisor.startNetwork(name);
                  return `defined and started the network ${JSON.stringify(name)}`;
                },
              }),
        },
      },
    ],
    facts: { name, networks: names },
  };
}

async function findDocument(
  paths: readonly string[],
  name: string,
): Promise<{ readonly path: string; readonly document: NetworkDocument } | undefined> {
  for (const path of paths) {
    const text = readTextFile(path);
    const document = text === undefined ? undefined : parseNetwork(text);
    if (document?.name === name) return { path, document };
  }
  return undefined;
}

/** A subnet that this host uses already. */
interface TakenSubnet {
  readonly subnet: string;
  readonly device: string;
  readonly kind: 'address' | 'route';
}

function clashesWith({ bridge, subnet }: NetworkDocument, other: TakenSubnet): boolean {
  const [mine, theirs] = [parseSubnet(subnet ?? ''), parseSubnet(other.subnet)];
  return mine !== undefined && theirs !== undefined && other.device !== bridge && overlap(mine, theirs);
}

/** The host's own addresses and routes; undefined where there is no ip(8). */
async function findTakenSubnets(examination: Examination): Promise<readonly TakenSubnet[] | undefined> {
  try {
    const [addresses, routes] = await Promise.all([
      examination.run('ip', ['-4', '-json', 'address', 'show']),
      examination.run('ip', ['-4', '-json', 'route', 'show']),
    ]);
    return parseTakenSubnets(addresses.stdout, routes.stdout);
  } catch (error) {
    if (error instanceof LaunchError && error.code === 'COMMAND_MISSING') return undefined;
    throw error;
  }
}

/** From `ip -json address` and `ip -json route`, as far as they are what they should be. */
export function parseTakenSubnets(addresses: string, routes: string): readonly TakenSubnet[] {
  const taken: TakenSubnet[] = [];
  for (const link of parseList(addresses)) {
    for (const at of listOf(link['addr_info'])) {
      const { local, prefixlen } = at;
      if (typeof local !== 'string' || typeof prefixlen !== 'number') continue;
      taken.push({ subnet: `${local}/${prefixlen}`, device: String(link['ifname']), kind: 'address' });
    }
  }
  for (const { dst, dev } of parseList(routes)) {
    if (typeof dst !== 'string' || typeof dev !== 'string' || dst === 'default') continue;
    if (taken.some((known) => known.device === dev && sameSubnet(known.subnet, dst))) continue;
    taken.push({ subnet: dst, device: dev, kind: 'route' });
  }
  return taken;
}

function sameSubnet(one: string, other: string): boolean {
  return JSON.stringify(parseSubnet(one)) === JSON.stringify(parseSubnet(other));
}

function parseList(json: string): readonly Readonly<Record<string, unknown>>[] {
  try {
    return listOf(JSON.parse(json === '' ? '[]' : json));
  } catch {
    return [];
  }
}

function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? (value as Readonly<Record<string, unknown>>[]) : [];
}

function clashProblem(
  { name, subnet = '' }: NetworkDocument,
  other: TakenSubnet,
  isActive: boolean,
): Problem {
  // libvirt refuses the very same subnet only, and starts the network onto one that overlaps.
  const isRefused = !isActive && sameSubnet(subnet, other.subnet);
  return {
    level: isRefused ? 'failed' : 'warning',
    found: `${name} has ${subnet}, and so has this host: ${other.kind} ${other.subnet} on ${other.device}`,
    why: isRefused
      ? 'libvirt does not start the network: "Network is already in use by interface"'
      : 'answers for guests, or for that other network, take the wrong way',
    cure: {
      text: 'give the network another subnet (ip address and DHCP range), then restart it',
      command: `virsh net-edit ${shellQuote(name)}`,
    },
  };
}

async function isBridgeLost(examination: Examination, { bridge }: NetworkDocument): Promise<boolean> {
  if (bridge === undefined) return false;
  const net = join(examination.places.sys, 'class', 'net');
  return fileExists(net) && readTextFile(join(net, bridge, 'ifindex')) === undefined;
}
