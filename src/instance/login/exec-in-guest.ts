import { execByAgent, type GuestCommandResult } from '../../guest/agent-exec.js';
import { quoteWord } from '../../guest/ssh/shell-words.js';
import { LaunchError } from '../../host/launch-error.js';
import type { Work } from '../../host/work.js';
import { getInstance } from '../find-instance.js';
import { openGuestLogin, type LoginRequest } from './guest-login.js';
import { checkGuestRuns } from './guest-state.js';
import type { InstanceRecord } from '../instance-record.js';
import type { Host } from '../open-host.js';
import { prepareSsh, runSshSession, tookTooLong } from './ssh-session.js';

export interface ExecRequest extends Omit<LoginRequest, 'action' | 'timeoutMs'> {
  /** A program and its arguments; no shell of ours or of the guest's reads them. */
  readonly command: readonly [string, ...string[]];
  /** By default the agent where one answers, else ssh. */
  readonly via?: 'agent' | 'ssh' | undefined;
  /** How long the command may take; undefined for ever. */
  readonly timeoutMs?: number | undefined;
  /** How long a guest that is booting may take until it can be asked. */
  readonly waitMs: number;
  /** ssh works on this process's own streams, and gives its standard input to the command if it is asked. */
  readonly attach?: { readonly stdin: boolean } | undefined;
}

export interface ExecOutcome {
  readonly via: 'agent' | 'ssh';
  readonly exitCode: number;
  /** Undefined when the command wrote to this process's own streams. */
  readonly output: Pick<GuestCommandResult, 'stdout' | 'stderr' | 'truncated'> | undefined;
}

const pingTimeoutSeconds = 3;
const answerTimeoutSeconds = 30;

/**
 * Runs a command in a guest and waits for its end.
 *
 * @throws LaunchError INSTANCE_STATE, DOMAIN_NOT_FOUND, AGENT_UNAVAILABLE, SSH_…, COMMAND_TIMEOUT
 */
export async function execInGuest(
  host: Host,
  reference: string,
  request: ExecRequest,
  work: Work = {},
): Promise<ExecOutcome> {
  const instance = await getInstance(host, reference);
  await checkGuestRuns(host, instance, { action: 'run a command in' });
  // The agent has no way to hand on what is typed while the command runs.
  const wantsSsh = request.via === 'ssh' || (request.via === undefined && request.attach?.stdin === true);
  if (!wantsSsh) {
    try {
      return await throughAgent(host, instance, request, work);
    } catch (error) {
      if (!(error instanceof LaunchError) || error.code !== 'AGENT_UNAVAILABLE') throw error;
      if (request.via === 'agent') throw noAgent(instance, error);
    }
  }
  return await throughSsh(host, instance, request, work);
}

async function throughAgent(
  host: Host,
  instance: InstanceRecord,
  request: ExecRequest,
  work: Work,
): Promise<ExecOutcome> {
  const ask = (
    question: Parameters<Host['hypervisor']['askAgent']>[1],
    timeoutSeconds = answerTimeoutSeconds,
  ) => host.hypervisor.askAgent(instance.uuid, question, { timeoutSeconds });
  await ask({ execute: 'guest-ping' }, pingTimeoutSeconds);
  try {
    const { timeoutMs } = request;
    const { exitCode, ...output } = await execByAgent((question) => ask(question), request.command, {
      timeoutMs,
      work,
    });
    return { via: 'agent', exitCode, output };
  } catch (error) {
    const words = error instanceof LaunchError ? error.details?.['words'] : undefined;
    if (typeof words !== 'string') throw error;
    return { via: 'agent', ...neverStarted(words) };
  }
}

/** As a shell tells of a program that it cannot start: 127 when there is none, 126 for any other reason. */
function neverStarted(words: string): Pick<ExecOutcome, 'exitCode' | 'output'> {
  const exitCode = /no such file or directory/i.test(words) ? 127 : 126;
  const stderr = Buffer.from(`${words.trim()}\n`);
  return { exitCode, output: { stdout: Buffer.alloc(0), stderr, truncated: false } };
}

async function throughSsh(
  host: Host,
  instance: InstanceRecord,
  request: ExecRequest,
  work: Work,
): Promise<ExecOutcome> {
  const { attach, timeoutMs } = request;
  const login = await openGuestLogin(host, instance, {
    action: 'run a command in',
    user: request.user,
    identityFile: request.identityFile,
    batch: request.batch ?? attach === undefined,
    timeoutMs: request.waitMs,
    work,
  });
  const remote = request.command.map(quoteWord).join(' ');
  if (attach !== undefined) {
    const stdin = attach.stdin ? 'inherit' : 'none';
    const exitCode = await runSshSession(host, login, { remote, stdin, timeoutMs, work, extra: ['-T'] });
    return { via: 'ssh', exitCode, output: undefined };
  }
  const ssh = await prepareSsh(host, login, { remote, extra: ['-T'] });
  try {
    const [program, ...args] = ssh.command;
    const result = await host.runner
      .run(program, args, { signal: work.signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) })
      .catch((error: unknown) => {
        const isLate = error instanceof LaunchError && error.code === 'COMMAND_TIMEOUT';
        throw isLate ? tookTooLong(login, timeoutMs ?? 0) : error;
      });
    if (result.exitCode === 255) await ssh.check();
    const output = {
      stdout: Buffer.from(result.stdout),
      stderr: Buffer.from(result.stderr),
      truncated: false,
    };
    return { via: 'ssh', exitCode: result.exitCode, output };
  } finally {
    await ssh.close();
  }
}

function noAgent({ domainName }: InstanceRecord, error: LaunchError): LaunchError {
  const reason = error.details?.['reason'];
  const why = typeof reason === 'string' ? reason : error.message;
  return new LaunchError('AGENT_UNAVAILABLE', `cannot run a command in ${domainName}: ${why}`, {
    hint: [
      `through ssh:         launch exec --via ssh ${domainName} -- …`,
      'for an agent:        install qemu-guest-agent in the guest; it may be a moment until it starts',
    ].join('\n'),
    details: { domainName },
  });
}
