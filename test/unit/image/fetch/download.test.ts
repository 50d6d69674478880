import { describe, expect, it } from 'vitest';
import type { FetchClock } from '../../../../src/image/fetch/clock.js';
import { download, RestartNeeded } from '../../../../src/image/fetch/download.js';
import { parseRemoteLocation } from '../../../../src/image/fetch/remote-location.js';
import type { RemoteResponse, Transport } from '../../../../src/image/fetch/transport.js';

const location = parseRemoteLocation('https://example.org/disk.qcow2');

interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly chunks?: readonly string[];
  /** Thrown after the chunks. */
  readonly failure?: string;
  /** Nothing comes after the chunks. */
  readonly stalls?: boolean;
}

/** A transport that answers from a list, and a clock that notes what it is asked for. */
function script(...replies: readonly Reply[]) {
  const asked: Record<string, string>[] = [];
  const slept: number[] = [];
  let closed = 0;
  let due: (() => void) | undefined;
  const transport: Transport = async (_url, { headers, signal }): Promise<RemoteResponse> => {
    const reply = replies[asked.length] ?? { failure: 'ECONNREFUSED' };
    asked.push({ ...headers });
    if (reply.chunks === undefined && reply.failure !== undefined) throw systemError(reply.failure);
    return Promise.resolve({
      status: reply.status ?? 200,
      header: (name) => reply.headers?.[name],
      body: bodyOf(reply, signal),
      close: () => {
        closed += 1;
      },
    });
  };
  async function* bodyOf(reply: Reply, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for (const chunk of reply.chunks ?? []) yield Buffer.from(chunk);
    if (reply.failure !== undefined) throw systemError(reply.failure);
    if (reply.stalls !== true) return;
    await new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        reject(systemError('ABORT_ERR'));
      });
      // The clock is set after the body was asked.
      queueMicrotask(() => due?.());
    });
  }
  const clock: FetchClock = {
    sleep: (milliseconds) => {
      slept.push(milliseconds);
      return Promise.resolve();
    },
    after: (_milliseconds, call) => {
      due = call;
      return () => {
        due = undefined;
      };
    },
  };
  const fetching = { transport, clock, idleMs: 30_000 };
  const run = async (signal = new AbortController().signal): Promise<string> => {
    let text = '';
    for await (const chunk of download(location, fetching, { signal })) text += Buffer.from(chunk).toString();
    return text;
  };
  return { run, asked, slept, closedCount: () => closed, fetching };
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

const etag = '"1"';
const whole: Reply = { headers: { 'content-length': '6', etag }, chunks: ['abc', 'def'] };
const broken: Reply = { headers: { 'content-length': '6', etag }, chunks: ['abc'], failure: 'ECONNRESET' };
const rest: Reply = {
  status: 206,
  headers: { 'content-range': 'bytes 3-5/6', 'content-length': '3', etag },
  chunks: ['def'],
};

describe('download', () => {
  it('gives what comes, and closes', async () => {
    const { run, asked, slept, closedCount } = script(whole);
    expect(await run()).toBe('abcdef');
    expect([asked.length, slept, closedCount()]).toEqual([1, [], 1]);
    expect(asked[0]).toMatchObject({ 'accept-encoding': 'identity' });
    expect(asked[0]).not.toHaveProperty('range');
  });

  it.each<[string, Reply]>([
    ['a broken connection', broken],
    ['one that ends early', { ...broken, failure: undefined as never }],
    ['one that stalls', { ...broken, failure: undefined as never, stalls: true }],
  ])('goes on after %s', async (_what, reply) => {
    const { run, asked, slept } = script(reply, rest);
    expect(await run()).toBe('abcdef');
    expect(asked[1]).toMatchObject({ range: 'bytes=3-', 'if-range': etag });
    expect(slept).toEqual([500]);
  });

  it('waits twice as long each time, and at most five times', async () => {
    const { run, slept, asked } = script();
    await expect(run()).rejects.toMatchObject({ code: 'DOWNLOAD_FAILED' });
    expect(slept).toEqual([500, 1000, 2000, 4000, 8000]);
    expect(asked).toHaveLength(6);
  });

  it('waits as long as the server asks, within reason', async () => {
    const busy = (seconds: string): Reply => ({ status: 503, headers: { 'retry-after': seconds } });
    const { run, slept } = script(busy('7'), busy('86400'), busy('tomorrow'), whole);
    expect(await run()).toBe('abcdef');
    expect(slept).toEqual([7000, 30_000, 2000]);
  });

  it('forgets earlier failures after much progress', async () => {
    const megabyte = 'x'.repeat(1024 * 1024);
    const replies = Array.from({ length: 9 }, (_value, index): Reply => {
      const start = index * megabyte.length;
      const total = 9 * megabyte.length;
      const headers = { etag, 'content-range': `bytes ${start}-${total - 1}/${total}` };
      const chunks = [megabyte];
      if (index === 0)
        return { headers: { etag, 'content-length': `${total}` }, chunks, failure: 'ECONNRESET' };
      return { status: 206, headers, chunks, ...(index === 8 ? {} : { failure: 'ECONNRESET' }) };
    });
    const { run, slept } = script(...replies);
    expect(await run()).toHaveLength(9 * megabyte.length);
    expect(slept).toEqual(Array.from({ length: 8 }, () => 500));
  });

  it.each<[string, Reply, Reply]>([
    ['the file changed', broken, { ...whole, headers: { 'content-length': '6', etag: '"2"' } }],
    ['the server refuses ranges', broken, whole],
    ['the file became shorter', broken, { status: 416 }],
    ['another part came', broken, { ...rest, headers: { 'content-range': 'bytes 0-2/6', etag } }],
    ['the length changed', broken, { ...rest, headers: { 'content-range': 'bytes 3-6/7', etag } }],
    ['a part without saying which', broken, { status: 206, chunks: ['def'] }],
    ['If-Range was not understood', broken, { ...rest, headers: { ...rest.headers, etag: '"2"' } }],
    ['nothing tells the file', { ...broken, headers: { 'content-length': '6' } }, rest],
    ['only a weak ETag tells it', { ...broken, headers: { 'content-length': '6', etag: 'W/"1"' } }, rest],
  ])('has to begin anew when %s', async (_what, first, second) => {
    await expect(script(first, second).run()).rejects.toBeInstanceOf(RestartNeeded);
  });

  it.each(['ENOTFOUND', 'CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT'])(
    'does not try %s again',
    async (failure) => {
      const { run, asked } = script({ failure });
      await expect(run()).rejects.toMatchObject({ code: 'DOWNLOAD_FAILED' });
      expect(asked).toHaveLength(1);
    },
  );

  it('ends with INTERRUPTED when it is told to, also while it waits', async () => {
    const controller = new AbortController();
    const { fetching } = script({ failure: 'ECONNRESET' });
    const clock = {
      ...fetching.clock,
      sleep: () => {
        controller.abort();
        return Promise.reject(new Error('aborted'));
      },
    };
    const pass = download(location, { ...fetching, clock }, { signal: controller.signal });
    await expect(pass.next()).rejects.toMatchObject({ code: 'INTERRUPTED' });
  });
});
