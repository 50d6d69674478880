import { createSocket } from 'node:dgram';
import { mkdir } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

import { listBridges } from '../../../src/host/bridges.js';
import { probePort } from '../../../src/host/ports.js';
import { newHome } from './new-home.js';

describe('probePort', () => {
  it('tells whether somebody listens, by protocol and address, and leaves nothing listening', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    expect(await probePort('tcp', '127.0.0.1', port)).toBe('taken');
    expect(await probePort('tcp', '0.0.0.0', port)).toBe('taken');
    expect(await probePort('tcp', '127.0.0.2', port)).toBe('free');
    expect(await probePort('udp', '127.0.0.1', port)).toBe('free');
    await new Promise((resolve) => server.close(resolve));
    expect(await probePort('tcp', '127.0.0.1', port)).toBe('free');
    expect(await probePort('tcp', '127.0.0.1', port)).toBe('free');
  });

  it('tells it of UDP too', async () => {
    const socket = createSocket('udp4');
    onTestFinished(() => {
      socket.close();
    });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    expect(await probePort('udp', '127.0.0.1', socket.address().port)).toBe('taken');
  });

  it('knows an address that is not this host’s', async () => {
    expect(await probePort('tcp', '192.0.2.7', 20_000)).toBe('absent');
    expect(await probePort('udp', '192.0.2.7', 20_000)).toBe('absent');
  });
});

describe('listBridges', () => {
  it('names those that the kernel calls so', async () => {
    const { root } = await newHome();
    for (const path of ['br0/bridge', 'a-bridge/bridge', 'eth0/queues', 'lo']) {
      await mkdir(join(root, path), { recursive: true });
    }
    expect(await listBridges(root)).toEqual(['a-bridge', 'br0']);
    expect(await listBridges(join(root, 'nowhere'))).toEqual([]);
  });
});
