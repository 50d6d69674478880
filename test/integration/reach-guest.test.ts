import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { WorkEvent } from '../../src/host/work.js';
import type { InstanceRecord } from '../../src/instance/instance-record.js';
import { launchInstance } from '../../src/instance/launch-instance.js';
import { reachGuest } from '../../src/instance/login/reach-guest.js';
import {
  expectRefusal,
  importTiny,
  openIntegrationHost,
  type IntegrationHost,
} from '../support/integration-host.js';

/** A guest behind a forwarded port of this host at which nobody listens yet. */
async function openGuest() {
  const host = await openIntegrationHost();
  await importTiny(host);
  const port = await freePort();
  const { instance } = await launchInstance(host, {
    ...{ image: 'tiny', flavor: 'm1.tiny', virtType: 'qemu', seed: { kind: 'none' } },
    ...{ wait: { kind: 'none' }, networks: [{ kind: 'user' }] },
    publish: [{ protocol: 'tcp', hostPort: port, guestPort: 22 }],
  });
  return { host, port, instance };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Greets as an ssh server, so many milliseconds after a connection; tells how many there were. */
async function greet(port: number, options: { readonly afterMs: number }) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    setTimeout(() => socket.write('SSH-2.0-test\r\n'), options.afterMs);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { connections: () => sockets.size };
}

function after(milliseconds: number, act: () => unknown): void {
  const timer = setTimeout(act, milliseconds);
  onTestFinished(() => {
    clearTimeout(timer);
  });
}

const reach = async (
  host: IntegrationHost,
  instance: InstanceRecord,
  options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
) => {
  const events: WorkEvent[] = [];
  const { timeoutMs = 30_000, signal } = options;
  const work = { signal, onEvent: (event: WorkEvent) => events.push(event) };
  const reached = reachGuest(host, instance, { action: 'log in to', timeoutMs, work });
  return { endpoint: await reached, events };
};

describe('the way to a guest', () => {
  it('is found without a word where its ssh server answers', async () => {
    const { host, port, instance } = await openGuest();
    await greet(port, { afterMs: 0 });
    expect(await reach(host, instance)).toEqual({ endpoint: { address: '127.0.0.1', port }, events: [] });
  });

  it('is waited for, and seen to be', async () => {
    const { host, port, instance } = await openGuest();
    after(1000, () => greet(port, { afterMs: 0 }));
    const { endpoint, events } = await reach(host, instance);
    expect(endpoint).toEqual({ address: '127.0.0.1', port });
    expect(events[0]).toMatchObject({ type: 'step-started', step: 'ssh' });
    expect(events.at(-1)).toMatchObject({
      type: 'step-done',
      message: expect.stringMatching(new RegExp(`^127\\.0\\.0\\.1 port ${port}, `)) as string,
    });
  });

  it('is not given up while a busy guest takes its time to greet, nor tried over and over', async () => {
    const { host, port, instance } = await openGuest();
    const server = await greet(port, { afterMs: 5000 });
    await reach(host, instance);
    expect(server.connections()).toBe(2);
  });

  it('bears the pause of a snapshot', async () => {
    const { host, port, instance } = await openGuest();
    after(500, () => {
      host.hypervisor.setState(instance.uuid, 'paused');
    });
    after(2500, () => {
      host.hypervisor.setState(instance.uuid, 'running');
      return greet(port, { afterMs: 0 });
    });
    expect((await reach(host, instance)).endpoint.port).toBe(port);
  });

  it('ends where the guest stays paused', async () => {
    const { host, instance } = await openGuest();
    after(500, () => {
      host.hypervisor.setState(instance.uuid, 'paused');
    });
    const error = await expectRefusal(reach(host, instance), 'INSTANCE_STATE');
    expect(error.message).toBe(`cannot log in to ${instance.domainName}: it is paused`);
    expect(error.hint).toBe(`launch resume ${instance.domainName}`);
  });

  it.each([
    [
      'stops',
      (host: IntegrationHost, uuid: string) => {
        host.hypervisor.setState(uuid, 'shut off');
      },
    ],
    [
      'is undefined',
      (host: IntegrationHost, uuid: string) => {
        host.hypervisor.loseDomain(uuid);
      },
    ],
  ] as const)('ends where the guest %s', async (_what, change) => {
    const { host, instance } = await openGuest();
    after(500, () => {
      change(host, instance.uuid);
    });
    const error = await expectRefusal(reach(host, instance), 'INSTANCE_STATE');
    expect(error.hint).toContain(`launch start ${instance.domainName}`);
  });

  it('is given up in time, with an autopsy', async () => {
    const { host, instance } = await openGuest();
    const error = await expectRefusal(reach(host, instance, { timeoutMs: 1500 }), 'WAIT_TIMEOUT');
    expect(error.hint).toContain('connection refused');
  });

  it('is given up when it is interrupted', async () => {
    const { host, instance } = await openGuest();
    const controller = new AbortController();
    after(300, () => {
      controller.abort();
    });
    await expectRefusal(reach(host, instance, { signal: controller.signal }), 'INTERRUPTED');
  });
});
