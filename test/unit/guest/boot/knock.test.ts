import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';

import { knock } from '../../../../src/guest/boot/knock.js';

async function serve(answer: (socket: Socket) => void): Promise<{ address: string; port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    answer(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { address: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

const within = (ms: number) => ({ connectTimeoutMs: ms, greetingTimeoutMs: ms });

describe('knock', () => {
  it('takes a greeting of ssh, in pieces and behind other lines', async () => {
    const endpoint = await serve((socket) => {
      socket.write('welcome\r\nSSH-2.0-Open');
      setTimeout(() => socket.write('SSH_9.2p1\r\n'), 50);
    });
    expect(await knock(endpoint, within(2000))).toEqual({
      answer: 'ssh',
      banner: 'SSH-2.0-OpenSSH_9.2p1',
    });
  });

  it('tells who is no ssh server', async () => {
    const web = await serve((socket) => socket.end('HTTP/1.1 400 \u0007Bad\r\n\r\n'));
    expect(await knock(web, within(2000))).toEqual({ answer: 'foreign', banner: 'HTTP/1.1 400 ?Bad' });
    const flood = await serve((socket) => socket.write('x'.repeat(100_000)));
    expect((await knock(flood, within(2000))).banner).toHaveLength(255);
  });

  it('tells who says nothing, and who hangs up', async () => {
    const silent = await serve(() => undefined);
    expect(await knock(silent, within(500))).toMatchObject({ answer: 'mute' });
    const gone = await serve((socket) => socket.destroy());
    expect(await knock(gone, within(2000))).toMatchObject({ answer: 'mute' });
    const reset = await serve((socket) => socket.resetAndDestroy());
    expect(await knock(reset, within(2000))).toMatchObject({ answer: 'mute' });
  });

  it('gives a greeting time of its own, from the connection on', async () => {
    const slow = await serve((socket) => setTimeout(() => socket.write('SSH-2.0-slow\r\n'), 600));
    const patience = { connectTimeoutMs: 200, greetingTimeoutMs: 5000 };
    expect(await knock(slow, patience)).toMatchObject({ answer: 'ssh' });
    expect(await knock(slow, { ...patience, greetingTimeoutMs: 100 })).toMatchObject({ answer: 'mute' });
  });

  it('tells that nobody listens', async () => {
    expect(await knock({ address: '127.0.0.1', port: 1 }, within(2000))).toMatchObject({
      answer: 'refused',
    });
  });

  it('ends when it is told to', async () => {
    const silent = await serve(() => undefined);
    const began = performance.now();
    await knock(silent, { ...within(60_000), signal: AbortSignal.timeout(50) });
    await knock(silent, { ...within(60_000), signal: AbortSignal.abort() });
    expect(performance.now() - began).toBeLessThan(5000);
  });
});
