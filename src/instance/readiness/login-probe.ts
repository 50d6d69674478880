import type { SshEvidence } from '../../guest/autopsy/evidence.js';
import { parseLoginAdvice } from '../../guest/ssh/login-advice.js';
import type { SshEndpoint } from '../../guest/ssh/ssh-options.js';
import { LaunchError } from '../../host/launch-error.js';
import type { InstanceRecord } from '../instance-record.js';
import type { Host } from '../open-host.js';
import { sshArguments } from '../login/ssh-arguments.js';

export type LoginAttempt = NonNullable<SshEvidence['login']> & {
  /** Who should log in instead, as the guest says it. */
  readonly advised: string | undefined;
};

/** Under emulation the exchange of keys alone takes seconds. */
const attemptTimeoutMs = 40_000;
const connectTimeoutSeconds = 10;

/**
 * Logs in and out again, without a question to anybody.
 *
 * @throws LaunchError COMMAND_MISSING without ssh on this host; INTERRUPTED
 */
export async function tryLogin(
  host: Host,
  instance: InstanceRecord,
  endpoint: SshEndpoint,
  options: { readonly user: string; readonly signal: AbortSignal },
): Promise<LoginAttempt> {
  const { user } = options;
  const advice = new AbortController();
  let said = '';
  try {
    const result = await host.runner.run(
      'ssh',
      [...loginArguments(host, instance, endpoint, user), 'exit 0'],
      {
        timeoutMs: attemptTimeoutMs,
        signal: AbortSignal.any([options.signal, advice.signal]),
        onStdout: (chunk) => {
          said = (said + chunk).slice(0, 4096);
          // cloud-init's answer to root sleeps ten seconds behind its words.
          if (parseLoginAdvice(said) !== undefined) advice.abort();
        },
      },
    );
    const advised = parseLoginAdvice(said + result.stdout);
    const words = lastWords(result.stderr) || 'the connection ended without a word';
    if (advised !== undefined) return { outcome: 'failed', user, words: `it wants ${advised}`, advised };
    if (result.exitCode !== 255) return { outcome: 'accepted', user, words, advised };
    return { outcome: isRefusal(result.stderr) ? 'refused' : 'failed', user, words, advised };
  } catch (error) {
    const advised = parseLoginAdvice(said);
    if (advised !== undefined && !options.signal.aborted) {
      return { outcome: 'failed', user, words: `it wants ${advised}`, advised };
    }
    if (error instanceof LaunchError && error.code === 'COMMAND_TIMEOUT') {
      return { outcome: 'failed', user, words: 'the login took too long', advised: undefined };
    }
    throw error;
  }
}

/** Runs a command in a guest that is known to let us in; undefined when that does not work now. */
export async function readOverSsh(
  host: Host,
  instance: InstanceRecord,
  endpoint: SshEndpoint,
  options: { readonly user: string; readonly signal: AbortSignal; readonly script: string },
): Promise<string | undefined> {
  const args = [...loginArguments(host, instance, endpoint, options.user), options.script];
  try {
    const { signal } = options;
    const result = await host.runner.run('ssh', args, { timeoutMs: attemptTimeoutMs, signal });
    return result.exitCode === 0 ? result.stdout : undefined;
  } catch (error) {
    if (error instanceof LaunchError && error.code === 'COMMAND_TIMEOUT') return undefined;
    throw error;
  }
}

function loginArguments(
  host: Host,
  instance: InstanceRecord,
  endpoint: SshEndpoint,
  user: string,
): readonly string[] {
  const args = sshArguments(host, instance, endpoint, { user, batch: true, connectTimeoutSeconds });
  return [...args, endpoint.address, '--'];
}

function isRefusal(stderr: string): boolean {
  return /: Permission denied \(|Too many authentication failures|No more authentication methods/.test(
    stderr,
  );
}

function lastWords(stderr: string): string {
  const lines = stderr.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('Warning: '));
  return (lines.at(-1) ?? '')
    .replaceAll(/[^\x20-\x7e]/g, '?')
    .slice(0, 300)
    .trim();
}
