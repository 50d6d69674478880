import { describe, expect, it } from 'vitest';
import { closedTables, judgeForward } from '../../../../src/instance/doctor/packet-filter.js';

const guest = { from: 'virbr0', to: 'eth0' };

/** What libvirt puts in for a NAT network. */
const libvirtRules = [
  '-A LIBVIRT_FWI -d 192.168.122.0/24 -o virbr0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  '-A LIBVIRT_FWI -o virbr0 -j REJECT --reject-with icmp-port-unreachable',
  '-A LIBVIRT_FWO -s 192.168.122.0/24 -i virbr0 -j ACCEPT',
  '-A LIBVIRT_FWO -i virbr0 -j REJECT --reject-with icmp-port-unreachable',
  '-A LIBVIRT_FWX -i virbr0 -o virbr0 -j ACCEPT',
];
const libvirtChains = ['-N LIBVIRT_FWI', '-N LIBVIRT_FWO', '-N LIBVIRT_FWX'];
const libvirtJumps = ['X', 'I', 'O'].map((end) => `-A FORWARD -j LIBVIRT_FW${end}`);

/** What Docker puts in. */
const dockerRules = [
  '-A FORWARD -j DOCKER-USER',
  '-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  '-A FORWARD -i docker0 ! -o docker0 -j ACCEPT',
  '-A DOCKER-USER -j RETURN',
];

function judge(...lines: readonly string[]) {
  return judgeForward(lines.join('\n'), guest);
}

describe('judgeForward', () => {
  it('lets pass what nobody stops', () => {
    expect(judge('-P FORWARD ACCEPT')).toEqual({ kind: 'accepted' });
    expect(judge('')).toEqual({ kind: 'accepted' });
  });

  it('follows libvirt’s chains, also where Docker drops the rest', () => {
    const rules = [
      '-P FORWARD DROP',
      ...libvirtChains,
      '-N DOCKER-USER',
      ...libvirtJumps,
      ...dockerRules,
      ...libvirtRules,
    ];
    expect(judge(...rules)).toEqual({ kind: 'accepted' });
  });

  it('says that Docker’s policy drops it where libvirt has no chains there', () => {
    expect(judge('-P FORWARD DROP', '-N DOCKER-USER', ...dockerRules)).toEqual({
      kind: 'dropped',
      by: 'the policy of FORWARD',
    });
    expect(
      judge('-P FORWARD DROP', '-N DOCKER-USER', '-A DOCKER-USER -i virbr0 -j ACCEPT', ...dockerRules),
    ).toEqual({
      kind: 'accepted',
    });
  });

  it.each([
    ['-A FORWARD -j DROP', 'dropped'],
    ['-A FORWARD -i virbr+ -j DROP', 'dropped'],
    ['-A FORWARD -i virbr1 -j DROP', 'accepted'],
    ['-A FORWARD ! -i virbr0 -j DROP', 'accepted'],
    ['-A FORWARD ! -o docker0 -j REJECT --reject-with icmp-port-unreachable', 'dropped'],
    ['-A FORWARD -m comment --comment "no way out" -j DROP', 'dropped'],
    ['-A FORWARD -i virbr0 -m comment --comment lone -j DROP', 'dropped'],
    // A condition that is not known here does not count, to either side.
    ['-A FORWARD -p tcp -m tcp --dport 25 -j DROP', 'accepted'],
    ['-A FORWARD -s 10.0.0.0/8 -j DROP', 'accepted'],
    ['-A FORWARD -j LOG', 'accepted'],
  ])('%s: %s', (rule, kind) => {
    expect(judge('-P FORWARD ACCEPT', rule).kind).toBe(kind);
  });

  it('ends where chains call each other', () => {
    expect(judge('-P FORWARD DROP', '-N A', '-A FORWARD -j A', '-A A -j A').kind).toBe('dropped');
  });
});

describe('closedTables', () => {
  const chain = (table: string, policy: string, family = 'inet', hook = 'forward') => ({
    chain: { family, table, name: 'forward', type: 'filter', hook, prio: 0, policy },
  });
  const rule = (table: string, right: unknown, verdict: object = { accept: null }) => ({
    rule: {
      family: 'inet',
      table,
      chain: 'forward',
      expr: [{ match: { op: '==', left: { meta: { key: 'iifname' } }, right } }, verdict],
    },
  });
  const closed = (...nftables: readonly object[]) => closedTables(JSON.stringify({ nftables }), 'virbr0');

  it('names tables that drop and have no rule for the bridge', () => {
    expect(closed(chain('mine', 'drop'))).toEqual(['inet mine']);
    expect(closed(chain('mine', 'drop'), rule('mine', 'eth1'))).toEqual(['inet mine']);
    expect(closed(chain('mine', 'drop'), rule('mine', 'virbr0', { drop: null }))).toEqual(['inet mine']);
    expect(closed(chain('mine', 'drop'), rule('other', 'virbr0'))).toEqual(['inet mine']);
  });

  it.each([
    ['a policy that accepts', [chain('mine', 'accept')]],
    ['another hook', [chain('mine', 'drop', 'inet', 'input')]],
    ['IPv6 alone', [chain('mine', 'drop', 'ip6')]],
    ['what iptables keeps', [chain('filter', 'drop', 'ip')]],
    ['a rule for the bridge', [chain('mine', 'drop'), rule('mine', 'virbr0')]],
    ['a rule for all bridges of libvirt', [chain('mine', 'drop'), rule('mine', 'virbr*')]],
    ['a set with the bridge', [chain('mine', 'drop'), rule('mine', { set: ['eth1', 'virbr0'] })]],
    [
      'a jump for the bridge',
      [chain('mine', 'drop'), rule('mine', 'virbr0', { jump: { target: 'guests' } })],
    ],
  ])('is content with %s', (_, entries) => {
    expect(closed(...entries)).toEqual([]);
  });

  it.each(['', 'no JSON', '{}', '[]'])('takes %j for an empty ruleset', (text) => {
    expect(closedTables(text, 'virbr0')).toEqual([]);
  });
});
