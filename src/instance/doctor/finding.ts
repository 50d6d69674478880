/** What `launch doctor` can look at, in the order in which it tells. */
export const checkIds = [
  'libvirt',
  'qemu',
  'kvm',
  'access',
  'owners',
  'network',
  'dhcp',
  'firewall',
  'space',
  'storage',
  'clock',
  'memory',
  'leftovers',
] as const;

export type CheckId = (typeof checkIds)[number];

/** `failed`: no launch can work, or none whose guest can be reached; `unknown`: it could not be found out. */
export type FindingStatus = 'ok' | 'warning' | 'failed' | 'unknown';

export interface Cure {
  /** One line for people. */
  readonly text: string;
  /** What does it, to be copied. */
  readonly command?: string | undefined;
  /** Only where it loses nothing and can be done again: does it, and says what was done. */
  readonly fix?: (() => Promise<string>) | undefined;
}

export interface Problem {
  /** A `note` is worth knowing, and no reason to worry. */
  readonly level: 'note' | 'warning' | 'failed';
  readonly found: string;
  /** What comes of it. */
  readonly why: string;
  readonly cure: Cure;
}

/** What a check found out. */
export interface Finding {
  /** The cell of the table. */
  readonly found: string;
  readonly problems: readonly Problem[];
  /** It could not be found out, or not all. */
  readonly unknown?: boolean;
  /** Lines for who asked for this check by name. */
  readonly details?: readonly string[];
  /** For programs: sizes in bytes. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

export function statusOf(finding: Finding): FindingStatus {
  const levels = finding.problems.map(({ level }) => level);
  if (levels.includes('failed')) return 'failed';
  if (levels.includes('warning')) return 'warning';
  return finding.unknown === true ? 'unknown' : 'ok';
}

const listedNames = 3;

export function shortList(names: readonly string[]): string {
  const shown = names.slice(0, listedNames).join(', ');
  return names.length > listedNames ? `${shown} and ${names.length - listedNames} more` : shown;
}

/** A word of a command line for people to copy, as a shell reads it. */
export function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
