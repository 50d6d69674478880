import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { LaunchError } from '../host/launch-error.js';
import { checkInterrupted, type Work } from '../host/work.js';

/** Asks the guest agent one thing (QMP's form) and gives the value of `return`. */
export type AskAgent = (request: AgentRequest) => Promise<unknown>;

interface AgentRequest {
  readonly execute: string;
  readonly arguments?: Readonly<Record<string, unknown>>;
}

export interface GuestCommandResult {
  /** As a shell tells it: 128 and the signal's number for a command that a signal ended. */
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** The agent keeps 16 MiB of each; what came after is lost. */
  readonly truncated: boolean;
}

const startedSchema = v.object({ pid: v.pipe(v.number(), v.safeInteger(), v.minValue(0)) });

/** QEMU's docs/interop/qemu-ga-ref: GuestExecStatus. */
const statusSchema = v.object({
  exited: v.boolean(),
  exitcode: v.optional(v.number()),
  signal: v.optional(v.number()),
  'out-data': v.optional(v.string(), ''),
  'err-data': v.optional(v.string(), ''),
  'out-truncated': v.optional(v.boolean(), false),
  'err-truncated': v.optional(v.boolean(), false),
});

const firstPollMs = 20;
const slowestPollMs = 500;

/**
 * Runs a program in the guest through its agent and waits for its end. The words reach it as they are: no
 * shell reads them. A program that is still running when the time is up, or the caller gives up, is killed.
 *
 * @throws LaunchError COMMAND_TIMEOUT, INTERRUPTED; AGENT_UNAVAILABLE when the agent does not do as it should
 */
export async function execByAgent(
  ask: AskAgent,
  command: readonly [string, ...string[]],
  options: { readonly timeoutMs?: number | undefined; readonly work?: Work } = {},
): Promise<GuestCommandResult> {
  const { timeoutMs, work = {} } = options;
  const [path, ...arg] = command;
  checkInterrupted(work);
  const { pid } = read(
    startedSchema,
    await ask({ execute: 'guest-exec', arguments: { path, arg, 'capture-output': true } }),
  );
  const deadline = timeoutMs === undefined ? Infinity : performance.now() + timeoutMs;
  let delayMs = firstPollMs;
  try {
    for (;;) {
      const status = read(statusSchema, await ask({ execute: 'guest-exec-status', arguments: { pid } }));
      if (status.exited) return resultOf(status);
      checkInterrupted(work);
      if (performance.now() > deadline) throw tookTooLong(path, timeoutMs ?? 0);
      await sleep(Math.min(delayMs, Math.max(1, deadline - performance.now())));
      delayMs = Math.min(delayMs * 2, slowestPollMs);
    }
  } catch (error) {
    if (error instanceof LaunchError && (error.code === 'COMMAND_TIMEOUT' || error.code === 'INTERRUPTED')) {
      await kill(ask, pid);
    }
    throw error;
  }
}

/** The agent has no word for it; a guest without `kill` keeps the program. */
async function kill(ask: AskAgent, pid: number): Promise<void> {
  await ask({ execute: 'guest-exec', arguments: { path: 'kill', arg: ['-KILL', `${pid}`] } }).catch(
    () => undefined,
  );
}

function resultOf(status: v.InferOutput<typeof statusSchema>): GuestCommandResult {
  return {
    exitCode: status.signal === undefined ? (status.exitcode ?? 0) : 128 + status.signal,
    stdout: Buffer.from(status['out-data'], 'base64'),
    stderr: Buffer.from(status['err-data'], 'base64'),
    truncated: status['out-truncated'] || status['err-truncated'],
  };
}

function read<Schema extends v.GenericSchema>(schema: Schema, value: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  throw new LaunchError('AGENT_UNAVAILABLE', 'the guest agent gave an answer that makes no sense', {
    details: { issue: result.issues[0].message },
  });
}

function tookTooLong(path: string, timeoutMs: number): LaunchError {
  return new LaunchError(
    'COMMAND_TIMEOUT',
    `${JSON.stringify(path)} took more than ${Math.round(timeoutMs / 1000)} s in the guest and was killed`,
    { hint: 'give it longer:  --timeout 10m' },
  );
}
