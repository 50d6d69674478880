import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listDirectory } from '../../host/files.js';
import type { Examination } from './examination.js';
import { count } from '../../host/units.js';
import { shellQuote, type Finding, type Problem } from './finding.js';
import { contains, parseAddress } from './ipv4.js';
import type { NetworkDhcp } from './network-document.js';

/** Whether a guest that asks for an address gets one: dnsmasq is there, and has some left. */
export async function checkDhcp(examination: Examination): Promise<Finding> {
  const { network: name } = examination.places;
  const { hypervisor } = examination.host;
  const summary = (await examination.networks()).find((network) => network.name === name);
  if (summary === undefined) return { found: `there is no network ${JSON.stringify(name)}`, problems: [] };
  const { dhcp, forward } = await examination.network();
  if (dhcp === undefined) return withoutDhcp(name, forward);
  if (!summary.active) return { found: `${name} is not active`, problems: [] };
  const [leases, domains, pid] = await Promise.all([
    hypervisor.listLeases(name),
    examination.domains(),
    examination.isLocal ? findDnsmasq(examination.places.proc, name) : undefined,
  ]);
  const use = measureUse(
    dhcp,
    leases.map(({ address }) => address),
  );
  const known = new Set(
    domains.flatMap(({ description }) =>
      description.interfaces.map(({ macAddress }) => macAddress?.toLowerCase()),
    ),
  );
  const strange = leases.filter(({ macAddress }) => !known.has(macAddress));
  const problems: Problem[] = [];
  const isAlive = pid !== undefined || !examination.isLocal;
  if (!isAlive) problems.push(deadProblem(examination, name));
  problems.push(...useProblems(name, use, strange.length));
  return {
    found: `${isAlive ? 'dnsmasq' : 'no dnsmasq'}, ${use.free} of ${use.total} addresses free, ${count(strange.length, 'lease')} of machines that libvirt does not know`,
    problems,
    details: strange.map(({ address, macAddress, hostname }) =>
      [`lease of no domain  ${address}`, macAddress, hostname ?? ''].join('  ').trimEnd(),
    ),
    facts: {
      dnsmasqPid: pid,
      totalAddresses: use.total,
      freeAddresses: use.free,
      leases: leases.length,
      strangeLeases: strange,
    },
  };
}

function withoutDhcp(name: string, forward: string | undefined): Finding {
  return forward === 'bridge' || forward === 'private' || forward === 'vepa' || forward === 'passthrough'
    ? { found: `${name} is a bridge: whoever is behind it gives addresses`, problems: [] }
    : {
        found: `${name} gives out no addresses`,
        problems: [
          {
            level: 'warning',
            found: `the network ${JSON.stringify(name)} has no DHCP`,
            why: 'guests must bring their own address, and nobody can tell which',
            cure: { text: 'add a range', command: `virsh net-edit ${shellQuote(name)}` },
          },
        ],
      };
}

/** libvirt starts one for each network, with the network's name in its configuration's. */
async function findDnsmasq(proc: string, network: string): Promise<number | undefined> {
  const pids = (await listDirectory(proc)).filter((entry) => /^\d+$/.test(entry));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const line = await readFile(join(proc, pid, 'cmdline'), 'utf8').catch(() => '');
      const [program = '', ...args] = line.split('\0');
      const isIts = args.some((arg) => arg.startsWith('--conf-file=') && arg.endsWith(`/${network}.conf`));
      return /(^|\/)dnsmasq$/.test(program) && isIts ? Number(pid) : undefined;
    }),
  );
  return found.find((pid) => pid !== undefined);
}

interface AddressUse {
  readonly total: number;
  readonly free: number;
}

/** Addresses of the ranges that are neither leased nor kept for somebody. */
export function measureUse(dhcp: NetworkDhcp, leased: readonly string[]): AddressUse {
  const used = new Set([...leased.flatMap((address) => parseAddress(address) ?? []), ...dhcp.reserved]);
  const total = dhcp.ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const taken = [...used].filter((address) => dhcp.ranges.some((range) => contains(range, address)));
  return { total, free: total - taken.length };
}

function deadProblem(examination: Examination, name: string): Problem {
  return {
    level: 'failed',
    found: `dnsmasq of the network ${JSON.stringify(name)} is not running`,
    why: 'guests start, and get no address',
    cure: {
      text: 'let libvirt start it again; guests on the network notice nothing',
      command: `virsh net-update ${shellQuote(name)} add dns-txt "<txt name='launch-restart.invalid' value='1'/>" --live && virsh net-update ${shellQuote(name)} delete dns-txt "<txt name='launch-restart.invalid' value='1'/>" --live`,
      fix: async () => {
        await examination.host.hypervisor.restartNetworkDhcp(name);
        return `dnsmasq of ${JSON.stringify(name)} was started again`;
      },
    },
  };
}

function useProblems(name: string, { total, free }: AddressUse, strange: number): readonly Problem[] {
  if (total === 0 || free > Math.max(1, total / 10)) return [];
  return [
    {
      level: free === 0 ? 'failed' : 'warning',
      found:
        free === 0
          ? 'all addresses are given out'
          : `only ${count(free, 'address', 'addresses')} left of ${total}`,
      why: free === 0 ? 'the next guest gets no address' : 'soon guests get no address',
      cure: {
        text: `widen the range${strange > 0 ? `, or wait: ${count(strange, 'lease')} of machines that are gone end by themselves, within an hour unless the network says otherwise` : ''}`,
        command: `virsh net-edit ${shellQuote(name)}`,
      },
    },
  ];
}
