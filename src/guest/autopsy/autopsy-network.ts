import type { Diagnosis } from './diagnosis.js';
import type { CardEvidence, Evidence } from './evidence.js';

/** Unanswered questions after which DHCP has had its chance. */
const enoughQuestions = 4;

/** Why a guest whose kernel runs has no address; undefined when it may just need more time. */
export function diagnoseNetwork(evidence: Evidence, name: string): Diagnosis | undefined {
  const { cards, console } = evidence;
  const [card] = cards;
  if (card === undefined) {
    return {
      cause: 'no-network-card',
      problem: 'has no network card, and so no address',
      likely: 'it was launched with --network none',
      cures: [{ what: 'work on its console', command: `launch console ${name}` }],
      final: true,
    };
  }
  const asked = console.dhcpAsked >= enoughQuestions;
  const lively = evidence.quietSeconds < 8 && !console.loginPrompt && !asked;
  if (lively) return undefined;
  const problem = 'runs, but got no address';
  const served = cards.filter((one) => one.dhcp === 'served' || one.dhcp === 'elsewhere');
  if (served.length === 0) {
    const stopped = cards.find((one) => one.dhcp === 'stopped');
    if (stopped !== undefined) return serverStopped(stopped, problem);
    const [none] = cards.filter((one) => one.dhcp === 'none');
    if (none !== undefined) return serverMissing(none, problem, name);
  }
  if (cards.every((one) => one.sentPackets === 0)) {
    return {
      cause: 'card-silent',
      problem: `${problem}: it never sent a packet`,
      likely:
        'the guest has no driver for this card, or does not switch it on (its configuration names another card)',
      cures: [
        { what: 'another card', command: 'launch IMAGE --network default,model=e1000' },
        { what: 'look from within', command: `launch console ${name}` },
      ],
      final: false,
    };
  }
  return asked || wasAsked(cards) ? unanswered(served[0] ?? card, problem) : notAsked(card, problem, name);
}

function wasAsked(cards: readonly CardEvidence[]): boolean {
  return cards.some((card) => card.dhcpLog.some((line) => line.includes('DHCPDISCOVER')));
}

function serverStopped(card: CardEvidence, problem: string): Diagnosis {
  return {
    cause: 'dhcp-server-stopped',
    problem,
    likely: `dnsmasq of network "${card.name}" is not running, so nobody answers DHCP there`,
    cures: [{ what: 'mend it', command: `launch doctor network dhcp --network ${card.name} --fix` }],
    final: false,
  };
}

function serverMissing(card: CardEvidence, problem: string, name: string): Diagnosis {
  return {
    cause: 'no-dhcp-server',
    problem,
    likely: `network "${card.name}" has no DHCP in libvirt's definition: a guest there needs an address of its own`,
    cures: [
      { what: 'give it one in its seed', command: 'launch IMAGE --network-config FILE' },
      { what: 'or switch DHCP on', command: `virsh net-edit ${card.name}` },
      { what: 'look from within', command: `launch console ${name}` },
    ],
    final: false,
  };
}

function unanswered(card: CardEvidence, problem: string): Diagnosis {
  const bridge = card.kind === 'bridge';
  return {
    cause: 'dhcp-unanswered',
    problem: `${problem}: it asked, and nobody answered`,
    likely: bridge
      ? `nothing on bridge "${card.name}" answers DHCP, or the bridge has no way out`
      : "the answer is lost on its way: a firewall of the host on libvirt's bridge, or no address left in its range",
    cures: bridge
      ? [{ what: 'look at the bridge', command: `bridge link show` }]
      : [
          {
            what: 'look at the network',
            command: `launch doctor network dhcp firewall --network ${card.name}`,
          },
        ],
    final: false,
  };
}

function notAsked(card: CardEvidence, problem: string, name: string): Diagnosis {
  return {
    cause: 'no-address',
    problem,
    likely:
      card.kind === 'bridge'
        ? 'its DHCP server is not ours, this host has not heard from the guest, and it has no guest agent to ask'
        : 'the guest does not ask for one (its network is not configured), or still waits to',
    cures: [{ what: 'look from within', command: `launch console ${name}` }],
    final: false,
  };
}
