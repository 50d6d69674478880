/** Why ssh itself failed, as far as its log (`-E`, LogLevel DEBUG1) tells. */
type SshFailureKind =
  /** Nothing answers at the address, or nobody listens on the port. */
  | 'unreachable'
  /** Somebody answered and hung up before a login could be tried. */
  | 'closed'
  | 'host-key-changed'
  /** No key, and no password, was good enough. */
  | 'denied'
  /** After the login: the guest went away, or the network did. */
  | 'lost'
  | 'other';

export interface SshFailure {
  readonly kind: SshFailureKind;
  /** ssh's own words, on one line. */
  readonly words: string;
  /** Keys that the guest was offered: a file or a comment, the kind, the fingerprint. */
  readonly offeredKeys: readonly string[];
  /** What ssh complains of about keys: not readable, open to others, of an unknown format. */
  readonly keyComplaints: readonly string[];
  /** What the guest would have taken, such as `publickey`. */
  readonly acceptedMethods: readonly string[];
}

/** @returns undefined when the remote command ran to its end: then the exit code is the command's own */
export function findSshFailure(log: string): SshFailure | undefined {
  const lines = log.split(/\r?\n/).filter((line) => line !== '');
  if (lines.some((line) => /^debug1: Exit status -?\d+$/.test(line) && !line.endsWith('-1')))
    return undefined;
  const spoken = lines.filter((line) => !/^debug\d: /.test(line));
  const authenticated = lines.some((line) => line.startsWith('Authenticated to '));
  const kind = kindOf(log, authenticated);
  const keyComplaints = spoken.filter((line) =>
    /^(Load key|Permissions \S+ for|.*invalid format)/.test(line),
  );
  return {
    kind,
    words: wordsOf(spoken, kind),
    offeredKeys: offeredKeys(lines),
    keyComplaints,
    acceptedMethods: acceptedMethods(lines),
  };
}

function kindOf(log: string, authenticated: boolean): SshFailureKind {
  if (authenticated) return 'lost';
  if (/REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed/.test(log))
    return 'host-key-changed';
  if (/: Permission denied \(|Too many authentication failures/.test(log)) return 'denied';
  if (/^ssh: connect to host .*/m.test(log)) return 'unreachable';
  // A guest that is paused, or whose sshd is just starting, takes the connection and says nothing.
  if (/timed out during banner exchange|kex_exchange_identification|Connection (closed|reset) by/.test(log)) {
    return 'closed';
  }
  return 'other';
}

function wordsOf(spoken: readonly string[], kind: SshFailureKind): string {
  const own = spoken.filter(
    (line) => !/^(Warning: Permanently added|Authenticated to|Transferred: |Bytes per second: |@)/.test(line),
  );
  if (kind === 'host-key-changed') return 'Host key verification failed.';
  // The error names the user and the guest itself.
  return (own.at(-1) ?? '').replace(/^(ssh|\S+@\S+): /, '').trim();
}

function offeredKeys(lines: readonly string[]): readonly string[] {
  const offered = lines.flatMap((line) => {
    const [, key] = /^debug1: Offering public key: (.*)$/.exec(line) ?? [];
    return key === undefined ? [] : [key.replace(/ explicit( agent)?$/, '$1').trim()];
  });
  return [...new Set(offered)];
}

function acceptedMethods(lines: readonly string[]): readonly string[] {
  const last = lines.findLast((line) => line.startsWith('debug1: Authentications that can continue: '));
  return last === undefined ? [] : last.replace(/^.*: /, '').split(',');
}
