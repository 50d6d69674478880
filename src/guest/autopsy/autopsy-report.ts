import type { Diagnosis } from './diagnosis.js';
import type { CardEvidence, Evidence } from './evidence.js';
import { describeStages, type ReachedStage } from '../boot/stage.js';

export interface Autopsy {
  readonly diagnosis: Diagnosis;
  readonly evidence: Evidence;
  readonly stages: readonly ReachedStage[];
}

const consoleLines = 4;
const titleColumns = 13;

/** The autopsy for people: what was reached, what was seen, what lies behind it usually, what to try. */
export function renderAutopsy({ diagnosis, evidence, stages }: Autopsy): string {
  const reached = describeStages(stages);
  return [
    ...section('reached', [reached === '' ? 'started, no more' : reached]),
    ...section('evidence', evidenceLines(evidence)),
    ...section('likely', [diagnosis.likely]),
    ...section(
      'try',
      diagnosis.cures.map(({ what, command }) => (command === undefined ? what : `${what}:  ${command}`)),
    ),
  ].join('\n');
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.map((line, index) => (index === 0 ? title : '').padEnd(titleColumns) + line);
}

/** What was seen, one line a thing; what the guest says stands last, as it may say anything. */
export function evidenceLines(evidence: Evidence): readonly string[] {
  return [
    ...(evidence.domainState === 'running' ? [] : [`domain: ${evidence.domainState ?? 'not in libvirt'}`]),
    ...evidence.cards.flatMap((card) => cardLines(card, evidence)),
    ...sshLines(evidence),
    ...cloudInitLines(evidence),
    ...consoleEvidence(evidence),
  ];
}

function cardLines(card: CardEvidence, { addresses, console }: Evidence): readonly string[] {
  const packets = card.sentPackets === undefined ? '' : `, ${card.sentPackets} packets sent`;
  const asked = console.dhcpAsked > 0 ? `, DHCP asked ${times(console.dhcpAsked)}` : '';
  const where = card.kind === 'network' ? `network "${card.name}"` : `${card.kind} "${card.name}"`;
  if (card.kind === 'user') return [];
  const found = addresses.length > 0 ? addresses.map((one) => one.address).join(', ') : undefined;
  const server = {
    served: '',
    elsewhere: '',
    none: ' (it has no DHCP)',
    stopped: ' (its dnsmasq is not running)',
  }[card.dhcp];
  const kind = card.kind === 'network' ? 'leases' : 'neighbours';
  return [
    `${kind} of ${where}${server}: ${found ?? `none for ${card.macAddress}`}${packets}${asked}`,
    ...card.dhcpLog.slice(-2).map((line) => `dnsmasq: ${line}`),
  ];
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

function sshLines({ ssh }: Evidence): readonly string[] {
  if (ssh === undefined) return [];
  const at = ssh.address.includes(':') ? `[${ssh.address}]:${ssh.port}` : `${ssh.address}:${ssh.port}`;
  const answer = {
    refused: 'connection refused',
    unreachable: 'no route to it',
    silent: 'no answer',
    mute: 'connected, and not a word',
    foreign: `it said ${JSON.stringify(ssh.banner ?? '')}`,
    ssh: ssh.banner ?? '',
  }[ssh.answer];
  const login =
    ssh.login === undefined
      ? []
      : [`login as ${ssh.login.user}: ${ssh.login.outcome === 'accepted' ? 'let in' : ssh.login.words}`];
  return [`ssh ${at}: ${answer}`, ...login];
}

function cloudInitLines({ console, cloudInit }: Evidence): readonly string[] {
  const { userDataUnreadable, userDataFailed, problems } = console.cloudInit;
  const told = [...userDataUnreadable, ...userDataFailed, ...problems];
  const own = [...(cloudInit?.errors ?? []), ...(cloudInit?.recoverable ?? [])];
  // Its report is shorter, and says which of several scripts it was.
  const lines = [...new Set([...own, ...told])].slice(0, 4).map((line) => `cloud-init: ${line}`);
  const { saidBefore } = console.cloudInit;
  return [...lines, ...saidBefore.map((line) => `printed before it failed: ${line.slice(0, 160)}`)];
}

function consoleEvidence({ console, quietSeconds, busyCpus }: Evidence): readonly string[] {
  const busy = busyCpus === undefined ? '' : `, ${Math.round(busyCpus * 100)} % of a processor busy`;
  if (!console.spoke) return [`console: nothing at all${busy}`];
  const quiet = quietSeconds < 2 ? '' : ` (silent for ${Math.round(quietSeconds)} s${busy})`;
  const resets = console.boots > 1 ? `, ${console.boots} boots` : '';
  return [
    `console${resets}, its last lines${quiet}:`,
    ...console.lastLines.slice(-consoleLines).map((line) => `  ${line.slice(0, 160)}`),
  ];
}
