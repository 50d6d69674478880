/** A packet of a guest on its way out, as far as rules look at it. */
export interface GuestPacket {
  /** The bridge that it comes from. */
  readonly from: string;
  /** The device that it would leave by; undefined where there is no default route. */
  readonly to: string | undefined;
}

interface Rule {
  readonly in: Match | undefined;
  readonly out: Match | undefined;
  /** It also asks for what cannot be judged here, such as an established connection. */
  readonly isConditional: boolean;
  readonly target: string | undefined;
}

interface Match {
  readonly device: string;
  readonly negated: boolean;
}

interface Chain {
  readonly policy: string | undefined;
  readonly rules: Rule[];
}

export type Verdict =
  | { readonly kind: 'accepted' }
  /** By which rule or policy. */
  | { readonly kind: 'dropped'; readonly by: string };

const maximumDepth = 32;

/**
 * What becomes of the first packet that a guest sends out, by the rules that `iptables -S` prints. A rule
 * with a condition that is not known here does not count.
 */
export function judgeForward(rules: string, packet: GuestPacket): Verdict {
  const chains = parseRules(rules);
  return walk(chains, 'FORWARD', packet, 0) ?? { kind: 'accepted' };
}

function walk(
  chains: ReadonlyMap<string, Chain>,
  name: string,
  packet: GuestPacket,
  depth: number,
): Verdict | undefined {
  const chain = chains.get(name);
  if (chain === undefined || depth > maximumDepth) return undefined;
  for (const rule of chain.rules) {
    if (rule.isConditional || !meets(rule.in, packet.from) || !meets(rule.out, packet.to)) continue;
    if (rule.target === 'ACCEPT') return { kind: 'accepted' };
    if (rule.target === 'DROP' || rule.target === 'REJECT') {
      return { kind: 'dropped', by: `a rule of ${name}` };
    }
    if (rule.target === 'RETURN') break;
    const verdict = rule.target === undefined ? undefined : walk(chains, rule.target, packet, depth + 1);
    if (verdict !== undefined) return verdict;
  }
  return chain.policy === 'DROP' ? { kind: 'dropped', by: `the policy of ${name}` } : undefined;
}

function meets(match: Match | undefined, device: string | undefined): boolean {
  if (match === undefined) return true;
  const isIt = match.device.endsWith('+')
    ? device?.startsWith(match.device.slice(0, -1)) === true
    : device === match.device;
  return isIt !== match.negated;
}

function parseRules(text: string): ReadonlyMap<string, Chain> {
  const chains = new Map<string, Chain>();
  for (const line of text.split('\n')) {
    const [action, name = '', ...rest] = line.trim().split(/\s+/);
    if (action === '-P') chains.set(name, { policy: rest[0], rules: [] });
    else if (action === '-N') chains.set(name, { policy: undefined, rules: [] });
    else if (action === '-A') chains.get(name)?.rules.push(parseRule(rest));
  }
  return chains;
}

/**
 * A guest's address lies in its bridge's subnet, and its destination anywhere: `-s` is taken as met where
 * the device says whose rule it is, `-d` is a condition.
 */
function parseRule(words: readonly string[]): Rule {
  let incoming: Match | undefined;
  let outgoing: Match | undefined;
  let isConditional = false;
  let target: string | undefined;
  let hasSource = false;
  let negated = false;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    const value = words[at + 1] ?? '';
    const match = { device: value, negated };
    if (word === '!') {
      negated = true;
      continue;
    }
    if (word === '-i') incoming = match;
    else if (word === '-o') outgoing = match;
    else if (word === '-s') hasSource = true;
    else if (word === '-j' || word === '-g') {
      target = value;
      // What follows are the target's own options.
      break;
    } else if (word === '-m' && value === 'comment') {
      // --comment "several words": up to the next option.
      while (at + 2 < words.length && !/^-[a-z]$/i.test(words[at + 2] ?? '')) at += 1;
    } else isConditional = true;
    at += 1;
    negated = false;
  }
  const isOfDevice = incoming !== undefined && !incoming.negated;
  return {
    in: incoming,
    out: outgoing,
    isConditional: isConditional || (hasSource && !isOfDevice),
    target,
  };
}

/**
 * Tables of nftables that drop what nobody lets pass on its way through this host, without a rule for the
 * bridge: from `nft --json list ruleset`. Tables that iptables keeps are judged by `judgeForward`.
 */
export function closedTables(ruleset: string, bridge: string): readonly string[] {
  const entries = parseRuleset(ruleset);
  const chains = entries.flatMap((entry) => (entry.chain === undefined ? [] : [entry.chain]));
  return chains
    .filter(({ family, hook, policy }) => {
      return (family === 'inet' || family === 'ip') && hook === 'forward' && policy === 'drop';
    })
    .filter(({ family, table }) => !(family === 'ip' && table === 'filter'))
    .filter(({ family, table }) => {
      const ofTable = entries.filter(({ rule }) => rule?.family === family && rule.table === table);
      return !ofTable.some(({ rule }) => letsPass(rule?.expr ?? [], bridge));
    })
    .map(({ family, table }) => `${family} ${table}`);
}

interface NftEntry {
  readonly chain?: {
    readonly family: string;
    readonly table: string;
    readonly hook?: string;
    readonly policy?: string;
  };
  readonly rule?: { readonly family: string; readonly table: string; readonly expr: readonly unknown[] };
}

function parseRuleset(ruleset: string): readonly NftEntry[] {
  try {
    const { nftables } = JSON.parse(ruleset) as { readonly nftables?: unknown };
    return Array.isArray(nftables) ? (nftables as readonly NftEntry[]) : [];
  } catch {
    return [];
  }
}

function letsPass(expressions: readonly unknown[], bridge: string): boolean {
  const text = JSON.stringify(expressions);
  const accepts = text.includes('"accept"') || text.includes('"jump"') || text.includes('"goto"');
  const names = [...text.matchAll(/"right":\s*("[^"]*"|\{[^}]*\})/g)].map(([, right]) => right ?? '');
  return accepts && names.some((right) => namesDevice(right, bridge));
}

function namesDevice(right: string, bridge: string): boolean {
  return [...right.matchAll(/"([^"]+)"/g)].some(([, name = '']) =>
    name.endsWith('*') ? bridge.startsWith(name.slice(0, -1)) : name === bridge,
  );
}
