import { describe, expect, it } from 'vitest';

import { execByAgent, type AskAgent } from '../../../src/guest/agent-exec.js';
import { LaunchError } from '../../../src/host/launch-error.js';

type Request = Parameters<AskAgent>[0];

/** An agent in a guest whose programs end at the nth look, if ever. */
function fakeAgent(end: { readonly atLook: number; readonly status: object }) {
  const asked: Request[] = [];
  let looks = 0;
  const ask: AskAgent = (request) => {
    asked.push(request);
    if (request.execute === 'guest-exec') return Promise.resolve({ pid: 7 });
    looks += 1;
    return Promise.resolve(looks < end.atLook ? { exited: false } : { exited: true, ...end.status });
  };
  return { asked, ask };
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('execByAgent', () => {
  it('gives words as they are, and bytes and exit code back', async () => {
    const status = {
      exitcode: 3,
      'out-data': Buffer.from([0, 255, 10]).toString('base64'),
      'err-data': base64('no\n'),
    };
    const { ask, asked } = fakeAgent({ atLook: 3, status });
    const result = await execByAgent(ask, ['ls', 'a b', '$HOME', '']);
    expect(result).toEqual({
      exitCode: 3,
      stdout: Buffer.from([0, 255, 10]),
      stderr: Buffer.from('no\n'),
      truncated: false,
    });
    expect(asked[0]).toEqual({
      execute: 'guest-exec',
      arguments: { path: 'ls', arg: ['a b', '$HOME', ''], 'capture-output': true },
    });
  });

  it('tells a signal as a shell does, and output that was cut off', async () => {
    const { ask } = fakeAgent({ atLook: 1, status: { signal: 9, 'out-truncated': true } });
    expect(await execByAgent(ask, ['x'])).toMatchObject({ exitCode: 137, truncated: true });
  });

  it('kills what takes too long', async () => {
    const { ask, asked } = fakeAgent({ atLook: Infinity, status: {} });
    const error = await execByAgent(ask, ['sleep', '9'], { timeoutMs: 30 }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ code: 'COMMAND_TIMEOUT' });
    expect(asked.at(-1)).toEqual({ execute: 'guest-exec', arguments: { path: 'kill', arg: ['-KILL', '7'] } });
  });

  it('kills it too when the caller gives up', async () => {
    const { ask, asked } = fakeAgent({ atLook: Infinity, status: {} });
    const controller = new AbortController();
    const running = execByAgent(ask, ['sleep', '9'], { work: { signal: controller.signal } });
    controller.abort();
    expect(await running.catch((reason: unknown) => reason)).toMatchObject({ code: 'INTERRUPTED' });
    expect(asked.at(-1)?.arguments).toEqual({ path: 'kill', arg: ['-KILL', '7'] });
  });

  it.each([undefined, {}, { pid: '7' }, { pid: -1 }])('distrusts what makes no sense: %j', async (answer) => {
    const error = await execByAgent(() => Promise.resolve(answer), ['x']).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LaunchError);
    expect(error).toMatchObject({ code: 'AGENT_UNAVAILABLE' });
  });
});
