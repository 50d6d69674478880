import { join } from 'node:path';
import { findSshFailure, type SshFailure } from '../../guest/ssh/ssh-log.js';
import { runAttached } from '../../host/attached-command.js';
import { LaunchError } from '../../host/launch-error.js';
import { openUnlinkedLog } from '../../host/unlinked-log.js';
import { interruptedError, type Work } from '../../host/work.js';
import type { GuestLogin } from './guest-login.js';
import type { Host } from '../open-host.js';

/** ssh with its own words apart from the guest's, so that what failed can be told from what the guest says. */
export interface SshCommand {
  readonly command: readonly [string, ...string[]];
  /** @throws LaunchError SSH_… when it was ssh that failed, and not the command in the guest */
  check(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The command line of ssh for a login.
 *
 * @param options.remote what the guest's shell shall run; undefined for a shell to sit down at
 * @param options.extra more arguments of ssh; they come first, and the first counts
 */
export async function prepareSsh(
  host: Host,
  login: GuestLogin,
  options: { readonly remote?: string | undefined; readonly extra?: readonly string[] } = {},
): Promise<SshCommand> {
  const { directory } = host.home.instance(login.instance.domainName);
  const log = await openUnlinkedLog(join(directory, `.ssh.${process.pid}.${Date.now()}.log`));
  const own = ['-E', log.path, '-o', 'LogLevel=DEBUG1'];
  const remote = options.remote === undefined ? [] : ['--', options.remote];
  return {
    command: [
      'ssh',
      ...own,
      ...(options.extra ?? []),
      ...login.sshArguments,
      login.endpoint.address,
      ...remote,
    ],
    check: async () => {
      const failure = findSshFailure(await log.read());
      if (failure !== undefined) throw sshError(host, login, failure);
    },
    close: () => log.close(),
  };
}

export interface SessionOptions {
  readonly remote?: string | undefined;
  readonly extra?: readonly string[];
  readonly stdin?: 'inherit' | 'none';
  /** How long the command in the guest may take. */
  readonly timeoutMs?: number | undefined;
  readonly work?: Work;
}

/**
 * Runs ssh on this process's own streams.
 *
 * @returns the exit code of what ran in the guest
 * @throws LaunchError SSH_UNREACHABLE, SSH_DENIED, SSH_HOST_KEY_CHANGED, SSH_FAILED, COMMAND_TIMEOUT, INTERRUPTED
 */
export async function runSshSession(host: Host, login: GuestLogin, options: SessionOptions): Promise<number> {
  const ssh = await prepareSsh(host, login, options);
  const { signal } = options.work ?? {};
  try {
    const { exitCode, timedOut } = await runAttached(ssh.command, {
      stdin: options.stdin ?? 'inherit',
      signal,
      timeoutMs: options.timeoutMs,
    });
    if (signal?.aborted === true) throw interruptedError(signal);
    if (timedOut) throw tookTooLong(login, options.timeoutMs ?? 0);
    // ssh's own failures end with 255, and so may the command.
    if (exitCode === 255) await ssh.check();
    return exitCode;
  } finally {
    await ssh.close();
  }
}

export function tookTooLong({ instance }: GuestLogin, timeoutMs: number): LaunchError {
  return new LaunchError(
    'COMMAND_TIMEOUT',
    `the command took more than ${Math.round(timeoutMs / 1000)} s in ${instance.domainName}, and its ssh was ended`,
    { hint: 'give it longer:  --timeout 10m' },
  );
}

function sshError(host: Host, login: GuestLogin, failure: SshFailure): LaunchError {
  const { instance, endpoint, user } = login;
  const { domainName } = instance;
  const at = `${user}@${endpoint.address}`;
  const details = { ...failure, ...endpoint, user, domainName };
  switch (failure.kind) {
    case 'unreachable':
    case 'closed':
      return new LaunchError(
        'SSH_UNREACHABLE',
        `cannot log in to ${domainName} at ${endpoint.address} port ${endpoint.port}: ${failure.words}`,
        {
          hint: [
            'sshd may be starting, or be off in the guest:',
            `  launch log ${domainName} --lines 20    launch console ${domainName}`,
          ].join('\n'),
          details,
        },
      );
    case 'host-key-changed': {
      const { knownHosts } = host.home.instance(domainName);
      return new LaunchError(
        'SSH_HOST_KEY_CHANGED',
        `refused to log in to ${domainName}: its host key is not the one that it had before`,
        {
          hint: [
            'if the guest was made to change it (reinstalled, cloud-init clean), accept the new one:',
            `  launch ssh --new-host-key ${domainName}`,
            'if not, somebody else may answer at its address',
          ].join('\n'),
          details: { ...details, knownHosts },
        },
      );
    }
    case 'denied':
      return new LaunchError('SSH_DENIED', `${domainName} does not let ${at} in: ${failure.words}`, {
        hint: deniedHint(domainName, failure),
        details,
      });
    case 'lost':
      return new LaunchError('SSH_FAILED', `the connection to ${domainName} ended: ${lostWords(failure)}`, {
        hint: `did the guest stop or reboot?  launch show ${domainName}    launch log ${domainName} --lines 20`,
        details,
      });
    case 'other':
      return new LaunchError('SSH_FAILED', `ssh to ${domainName} failed: ${lostWords(failure)}`, { details });
  }
}

function lostWords({ words }: SshFailure): string {
  return words === '' ? 'ssh does not say why' : words;
}

function deniedHint(domainName: string, failure: SshFailure): string {
  const { offeredKeys, keyComplaints, acceptedMethods } = failure;
  const offered =
    offeredKeys.length === 0
      ? ['no key was offered: ssh found none it could use']
      : ['it was offered:', ...offeredKeys.map((key) => `  ${key}`)];
  return [
    ...keyComplaints,
    ...offered,
    ...(acceptedMethods.length === 0 ? [] : [`it would take: ${acceptedMethods.join(', ')}`]),
    `another key:   launch ssh -i FILE ${domainName}`,
    `another user:  launch ssh -l NAME ${domainName}`,
    `from inside:   launch console ${domainName}`,
  ].join('\n');
}
