import { join } from 'node:path';
import { readTextFile } from '../../host/files.js';
import { LaunchError } from '../../host/launch-error.js';
import type { Examination } from './examination.js';
import type { Finding, Problem } from './finding.js';
import { parseSubnet } from './ipv4.js';
import { closedTables, judgeForward } from './packet-filter.js';

/** Whether packets of guests get out of this host. Guests run and can be reached from the host in any case. */
export async function checkFirewall(examination: Examination): Promise<Finding> {
  const { network: name, proc } = examination.places;
  const summary = (await examination.networks()).find((network) => network.name === name);
  if (summary === undefined) return { found: `there is no network ${JSON.stringify(name)}`, problems: [] };
  const { bridge, forward, subnet } = await examination.network();
  if (!examination.isLocal) return { found: 'on another host', problems: [], unknown: true };
  if (forward !== 'nat' && forward !== 'route' && forward !== 'open') {
    return { found: `${name} is ${forward ?? 'isolated'}: nothing is forwarded here`, problems: [] };
  }
  const forwarding = readTextFile(join(proc, 'sys/net/ipv4/ip_forward'))?.trim() !== '0';
  const problems: Problem[] = forwarding ? [] : [forwardingProblem()];
  if (!summary.active || bridge === undefined) return { found: `${name} is not active`, problems };
  const rules = await readRules(examination);
  if (rules === undefined) {
    return { found: 'only root may read the rules', problems, unknown: true };
  }
  const verdict = judgeForward(rules.filter, { from: bridge, to: await findDefaultDevice(examination) });
  if (verdict.kind === 'dropped') problems.push(droppedProblem(bridge, verdict.by, rules.filter));
  for (const table of closedTables(rules.nft, bridge)) problems.push(tableProblem(bridge, table));
  const isTranslated = forward === 'nat' && translates(rules, subnet);
  if (forward === 'nat' && !isTranslated) problems.push(translationProblem(name));
  return {
    found: `forwarding ${forwarding ? 'on' : 'off'}, packets from ${bridge} ${verdict.kind}${isTranslated ? ', addresses translated' : ''}`,
    problems,
    facts: { forwarding, bridge, verdict },
  };
}

interface Rules {
  readonly filter: string;
  readonly nat: string;
  /** JSON; empty where there is no nft. */
  readonly nft: string;
}

async function readRules(examination: Examination): Promise<Rules | undefined> {
  const read = async (file: string, ...args: readonly string[]): Promise<string | undefined> => {
    try {
      const result = await examination.run(file, args);
      return result.exitCode === 0 ? result.stdout : undefined;
    } catch (error) {
      if (error instanceof LaunchError && error.code === 'COMMAND_MISSING') return undefined;
      throw error;
    }
  };
  const [filter, nat, nft] = await Promise.all([
    read('iptables', '-w', '-S'),
    read('iptables', '-w', '-t', 'nat', '-S'),
    read('nft', '--json', 'list', 'ruleset'),
  ]);
  if (filter === undefined && nft === undefined) return undefined;
  return { filter: filter ?? '', nat: nat ?? '', nft: nft ?? '' };
}

async function findDefaultDevice(examination: Examination): Promise<string | undefined> {
  const text = readTextFile(join(examination.places.proc, 'net/route'));
  // Columns: interface, destination, gateway, … ; zero is everything.
  return /^(\S+)\t0{8}\t/m.exec(text ?? '')?.[1];
}

/** Whether libvirt's rules that give guests this host's address are there, in either kind of table. */
function translates({ nat, nft }: Rules, subnet: string | undefined): boolean {
  const wanted = JSON.stringify(parseSubnet(subnet ?? ''));
  return (
    nat.split('\n').some((line) => {
      const source = / -s (\S+) /.exec(line)?.[1];
      return line.includes('-j MASQUERADE') && JSON.stringify(parseSubnet(source ?? '')) === wanted;
    }) ||
    (nft.includes('"masquerade"') && nft.includes('libvirt_network'))
  );
}

function forwardingProblem(): Problem {
  return {
    level: 'warning',
    found: 'the kernel forwards no packets (net.ipv4.ip_forward = 0)',
    why: 'guests reach this host and each other, and nothing beyond',
    cure: { text: 'switch it on', command: 'sysctl -w net.ipv4.ip_forward=1' },
  };
}

function droppedProblem(bridge: string, by: string, filter: string): Problem {
  const isDocker = /^-N DOCKER-USER$/m.test(filter);
  return {
    level: 'warning',
    found: `the firewall drops what comes from ${bridge}, by ${by}${isDocker ? ' (Docker sets it)' : ''}`,
    why: 'guests reach this host and each other, and nothing beyond',
    cure: isDocker
      ? {
          text: "let the guests' packets pass where Docker leaves room for it",
          command: `iptables -I DOCKER-USER -i ${bridge} -j ACCEPT && iptables -I DOCKER-USER -o ${bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
        }
      : {
          text: "let the guests' packets pass; libvirt puts its own rules back when it is reloaded",
          command: 'systemctl reload libvirtd',
        },
  };
}

function tableProblem(bridge: string, table: string): Problem {
  return {
    level: 'warning',
    found: `the table ${table} of nftables drops what it forwards, and has no rule for ${bridge}`,
    why: 'a packet must pass all tables: guests reach this host and each other, and nothing beyond',
    cure: {
      text: 'add rules to its forward chain that accept the bridge, in and out',
      command: 'nft list ruleset',
    },
  };
}

function translationProblem(name: string): Problem {
  return {
    level: 'warning',
    found: `the rules that translate addresses of ${JSON.stringify(name)} are gone`,
    why: 'somebody emptied the firewall since libvirt started: nobody answers guests from beyond this host',
    cure: { text: 'libvirt puts its rules back when it is reloaded', command: 'systemctl reload libvirtd' },
  };
}
