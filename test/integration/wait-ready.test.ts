import { appendFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseDomain } from '../../src/domain/parse-domain.js';
import type { CommandResult } from '../../src/host/command.js';
import type { WorkEvent } from '../../src/host/work.js';
import { findAddresses } from '../../src/instance/readiness/guest-addresses.js';
import { launchInstance } from '../../src/instance/launch-instance.js';
import { listInstances } from '../../src/instance/list-instances.js';
import { openHost, type Host } from '../../src/instance/open-host.js';
import type { LaunchRequest, WaitFor } from '../../src/instance/plan-launch.js';
import { findSshEndpoint } from '../../src/instance/readiness/ssh-endpoint.js';
import { waitForInstances } from '../../src/instance/readiness/wait-instances.js';
import { readConsoleFixture } from '../support/console-fixture.js';
import {
  expectRefusal,
  importTiny,
  listLitter,
  listTree,
  openIntegrationHost,
  type IntegrationHost,
} from '../support/integration-host.js';

const request: LaunchRequest = { image: 'tiny', flavor: 'm1.tiny', virtType: 'qemu', timeoutMs: 10_000 };

/** What ssh ends with; by default it lets everybody in. */
type SshAnswer = (args: readonly string[]) => Partial<CommandResult>;

interface Guest {
  readonly host: Host;
  readonly integration: IntegrationHost;
  readonly events: WorkEvent[];
  readonly launch: (more: Partial<LaunchRequest>, signal?: AbortSignal) => ReturnType<typeof launchInstance>;
}

/** A host whose guests print a log as they start, and whose ssh answers as told; all else is real. */
async function openHostOf(
  log: string,
  options: { readonly ssh?: SshAnswer; readonly onStart?: (macAddress: string) => Promise<void> | void } = {},
): Promise<Guest> {
  const integration = await openIntegrationHost();
  const { hypervisor, runner } = integration;
  await importTiny(integration);
  const answer = options.ssh ?? (() => ({}));
  const host = {
    ...openHost({
      home: integration.home.root,
      hypervisor,
      instanceNameTemplate: 'itg-%08x',
      ...(integration.user === undefined ? {} : { user: integration.user }),
      runner: {
        run: async (file, args, runOptions) => {
          if (file !== 'ssh') return await runner.run(file, args, runOptions);
          const result = { exitCode: 0, stdout: '', stderr: '', ...answer(args) };
          if (result.stdout !== '') runOptions?.onStdout?.(result.stdout);
          return result;
        },
      },
    }),
  };
  hypervisor.onStart = async (xml) => {
    const { serialLogPath, interfaces } = parseDomain(xml);
    await appendFile(serialLogPath ?? '', log);
    await options.onStart?.(interfaces[0]?.macAddress ?? '');
  };
  const events: WorkEvent[] = [];
  return {
    host,
    integration,
    events,
    launch: (more, signal) =>
      launchInstance(host, { ...request, ...more }, { signal, onEvent: (event) => events.push(event) }),
  };
}

/** A port of this host that nobody has; taken when the guest starts. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Says the greeting to whoever connects, until the test ends. */
async function greet(port: number, greeting: string): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(greeting);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(
    () =>
      new Promise((resolve) =>
        server.close(() => {
          resolve();
        }),
      ),
  );
}

/** A guest behind a forwarded port, with a greeting on it. */
async function openForwarded(greeting: string, ssh?: SshAnswer) {
  const port = await freePort();
  const guest = await openHostOf(readConsoleFixture('ready'), {
    ...(ssh === undefined ? {} : { ssh }),
    onStart: () => (greeting === '' ? undefined : greet(port, greeting)),
  });
  const user: Partial<LaunchRequest> = {
    networks: [{ kind: 'user' }],
    publish: [{ protocol: 'tcp', hostPort: port, guestPort: 22 }],
  };
  return { ...guest, port, user };
}

const denied = { exitCode: 255, stderr: 'root@127.0.0.1: Permission denied (publickey).\n' };

describe('an address', () => {
  it('comes from a lease, with the stages that the console showed', async () => {
    const guest = await openHostOf(readConsoleFixture('ready'), {
      onStart: (macAddress) => {
        setTimeout(() => {
          const lease = { macAddress, address: '192.168.122.35', hostname: undefined };
          guest.integration.hypervisor.addLease('default', lease);
        }, 300);
      },
    });
    const launched = await guest.launch({ wait: { kind: 'address' } });
    expect(launched.addresses).toMatchObject([
      { address: '192.168.122.35', source: 'lease', network: 'default' },
    ]);
    expect(launched.stages.map(({ stage }) => stage)).toEqual([
      ...['started', 'firmware', 'boot loader', 'kernel', 'network'],
    ]);
    expect(launched.stages.every(({ atSeconds }) => atSeconds !== null && atSeconds < 10)).toBe(true);
    expect(guest.events).toContainEqual(
      expect.objectContaining({
        type: 'step-done',
        step: 'address',
        message: expect.stringMatching(/^192\.168\.122\.35, \d/) as string,
      }),
    );
  });

  it('comes from the agent, of our own cards only', async () => {
    const guest = await openHostOf('', {
      onStart: (macAddress) => {
        guest.integration.hypervisor.agent = () => [
          { name: 'lo', 'ip-addresses': [{ 'ip-address': '127.0.0.1', 'ip-address-type': 'ipv4' }] },
          {
            name: 'docker0',
            'hardware-address': '02:42:00:00:00:01',
            'ip-addresses': [{ 'ip-address': '172.17.0.1' }],
          },
          {
            name: 'eth0',
            'hardware-address': macAddress.toUpperCase(),
            'ip-addresses': [
              { 'ip-address': 'fe80::1' },
              { 'ip-address': '2001:db8::7' },
              { 'ip-address': '10.1.2.3' },
              { 'ip-address': '$(reboot)' },
            ],
          },
        ];
      },
    });
    const { addresses, instance } = await guest.launch({ wait: { kind: 'address' } });
    expect(addresses.map(({ address, source }) => [address, source])).toEqual([
      ['10.1.2.3', 'agent'],
      ['2001:db8::7', 'agent'],
    ]);
    expect(await findSshEndpoint(guest.host, instance)).toEqual({ address: '10.1.2.3', port: 22 });
  });

  it('of an earlier start is not taken for one of this', async () => {
    const guest = await openHostOf(readConsoleFixture('no-dhcp'));
    const { instance } = await guest.launch({ wait: { kind: 'running' } });
    // Nobody has this one (RFC 5737).
    const lease = {
      macAddress: instance.interfaces[0]?.macAddress ?? '',
      address: '192.0.2.99',
      hostname: undefined,
    };
    guest.integration.hypervisor.addLease('default', lease);
    expect(await findAddresses(guest.host, instance)).toHaveLength(1);
    const [waited] = await waitForInstances(
      guest.host,
      ['itg-00000001'],
      { kind: 'address' },
      { timeoutMs: 1500 },
    );
    if (waited === undefined || !('error' in waited)) throw new Error('it was taken');
    expect(waited.error.code).toBe('WAIT_TIMEOUT');
  });

  it('is not preceded by what an earlier start has left in the log', async () => {
    const guest = await openHostOf(readConsoleFixture('user-data-failed') + readConsoleFixture('no-dhcp'));
    const error = await expectRefusal(
      guest.launch({ wait: { kind: 'address' }, timeoutMs: 1000 }),
      'WAIT_TIMEOUT',
    );
    expect(error.details).toMatchObject({ lastStage: 'kernel' });
  });

  it('cannot be waited for without a network', async () => {
    const guest = await openHostOf('');
    await expectRefusal(guest.launch({ networks: [], wait: { kind: 'ssh' } }), 'ARGUMENT_INVALID');
    expect(await guest.integration.hypervisor.listDomains()).toEqual([]);
  });
});

describe('ssh', () => {
  it('is a login that is let in, as the user that the guest advises, who is remembered', async () => {
    const { launch, user, port, host } = await openForwarded('SSH-2.0-test\r\n', (args) =>
      args[args.indexOf('-l') + 1] === 'root'
        ? { exitCode: 142, stdout: 'Please login as the user "debian" rather than the user "root".\n' }
        : {},
    );
    const launched = await launch({ ...user, wait: { kind: 'ssh' } });
    expect(launched).toMatchObject({
      loginUser: 'debian',
      sshEndpoint: { address: '127.0.0.1', port },
      instance: { login: { user: 'debian' } },
    });
    expect(launched.stages.at(-1)?.stage).toBe('ssh');
    expect((await listInstances(host))[0]?.record?.login.user).toBe('debian');
  });

  it('goes on asking while the key is refused', async () => {
    let asked = 0;
    const { launch, user } = await openForwarded('SSH-2.0-test\r\n', () => ((asked += 1) < 2 ? denied : {}));
    expect((await launch({ ...user, wait: { kind: 'ssh' } })).loginUser).toBe('root');
    expect(asked).toBe(2);
  });

  it('that refuses the key is told so, and the guest is left running', async () => {
    const { launch, user, host } = await openForwarded('SSH-2.0-test\r\n', () => denied);
    const error = await expectRefusal(
      launch({ ...user, wait: { kind: 'ssh' }, timeoutMs: 1500 }),
      'WAIT_TIMEOUT',
    );
    expect(error.details).toMatchObject({ cause: 'ssh-key-refused', lastStage: 'ssh', undone: false });
    expect(error.hint).toContain('login as root: root@127.0.0.1: Permission denied (publickey).');
    expect(error.hint).toContain('it is left running:  launch console itg-00000001');
    expect(await listInstances(host)).toMatchObject([{ status: 'ACTIVE' }]);
  });

  it('with --rollback leaves nothing when it does not come', async () => {
    const { launch, user, integration } = await openForwarded('SSH-2.0-test\r\n', () => denied);
    const before = await listTree(integration.home.root);
    const error = await expectRefusal(
      launch({ ...user, wait: { kind: 'ssh' }, timeoutMs: 800, rollback: true }),
      'WAIT_TIMEOUT',
    );
    expect(error.hint).toContain('the launch was undone');
    expect(await integration.hypervisor.listDomains()).toEqual([]);
    expect(await listLitter(integration, before)).toEqual([]);
  });

  it.each([
    ['', 'a port that refuses', 'ssh-off'],
    ['HTTP/1.1 400 Bad Request\r\n\r\n', 'a web server', 'ssh-foreign'],
  ])('greeted with %j: %s is no ssh server', async (greeting, _what, cause) => {
    const { launch, user } = await openForwarded(greeting);
    const error = await expectRefusal(
      launch({ ...user, wait: { kind: 'ssh' }, timeoutMs: 1500 }),
      'WAIT_TIMEOUT',
    );
    expect(error.details).toMatchObject({ cause });
  });

  it('is the default where the image is known to have it', async () => {
    const { launch, user, integration } = await openForwarded('SSH-2.0-test\r\n');
    await importTiny(integration, { name: 'known', properties: { os_admin_user: 'debian' } });
    expect(await launch({ ...user, image: 'known' })).toMatchObject({ loginUser: 'debian' });
  });

  it('is nothing to wait for where it is not known', async () => {
    const guest = await openHostOf('');
    expect(await guest.launch({})).toMatchObject({ loginUser: undefined, stages: [{ stage: 'started' }] });
    expect(guest.integration.hypervisor.calls.map(({ method }) => method)).not.toContain('listLeases');
  });
});

describe('cloud-init', () => {
  const answers =
    (report: string): SshAnswer =>
    (args) =>
      args.at(-1)?.includes('result.json') === true ? { stdout: report } : {};

  it('is asked over ssh, where the console says nothing of it', async () => {
    const report = '{"v1": {"datasource": "DataSourceNoCloud", "errors": []}}\n---\n{"v1": {}}';
    const { launch, user } = await openForwarded('SSH-2.0-test\r\n', answers(report));
    const { stages } = await launch({ ...user, wait: { kind: 'cloud-init' } });
    expect(stages.at(-1)?.stage).toBe('cloud-init');
  });

  it.each([
    ['{"v1": {"errors": ["(\'runcmd\', ProcessExecutionError())"]}}', 'user-data-failed'],
    ['absent', 'cloud-init-absent'],
  ])('that reports %s ends the wait', async (report, cause) => {
    const { launch, user } = await openForwarded('SSH-2.0-test\r\n', answers(report));
    const error = await expectRefusal(launch({ ...user, wait: { kind: 'cloud-init' } }), 'GUEST_FAILED');
    expect(error.details).toMatchObject({ cause });
  });

  it('says on the console what became of bad user-data', async () => {
    const guest = await openHostOf(readConsoleFixture('user-data-unreadable'));
    const error = await expectRefusal(guest.launch({ wait: { kind: 'cloud-init' } }), 'GUEST_FAILED');
    expect(error.details).toMatchObject({ cause: 'user-data-unreadable', lastStage: 'cloud-init' });
    expect(error.hint).toContain('launch show itg-00000001 --seed');
  });
});

describe('a guest that cannot get there', () => {
  const wait: WaitFor = { kind: 'address' };

  it('ends the wait at once: nothing to boot', async () => {
    const guest = await openHostOf(readConsoleFixture('no-bootable-device'));
    const error = await expectRefusal(guest.launch({ wait, timeoutMs: 60_000 }), 'GUEST_FAILED');
    expect(error.details).toMatchObject({ cause: 'no-bootable-device', lastStage: 'firmware' });
    expect(guest.events).toContainEqual(expect.objectContaining({ type: 'step-failed', step: 'address' }));
  });

  it('powers itself off', async () => {
    const guest = await openHostOf(readConsoleFixture('ready'), {
      onStart: () => {
        const { hypervisor } = guest.integration;
        const uuid = hypervisor.calls.findLast(({ method }) => method === 'startDomain')?.subject ?? '';
        setTimeout(() => {
          hypervisor.setState(uuid, 'shut off');
        }, 1000);
      },
    });
    const error = await expectRefusal(
      guest.launch({ wait: { kind: 'console', pattern: /never/ } }),
      'INSTANCE_STATE',
    );
    expect(error.details).toMatchObject({ cause: 'guest-off' });
    expect(error.hint).toContain('it is left as it is');
  });

  it('is told apart when it is only paused', async () => {
    const guest = await openHostOf(readConsoleFixture('ready'));
    const { instance } = await guest.launch({ wait: { kind: 'running' } });
    setTimeout(() => {
      guest.integration.hypervisor.setState(instance.uuid, 'paused');
    }, 300);
    const [waited] = await waitForInstances(guest.host, [instance.uuid], wait, { timeoutMs: 1500 });
    expect(waited).toMatchObject({ error: { code: 'WAIT_TIMEOUT', details: { cause: 'guest-paused' } } });
  });
});

describe('waiting for guests that run', () => {
  it('leaves them alone when it is interrupted', async () => {
    const guest = await openHostOf(readConsoleFixture('no-dhcp'));
    await guest.launch({ wait: { kind: 'none' } });
    const controller = new AbortController();
    const waiting = waitForInstances(
      guest.host,
      ['itg-00000001'],
      { kind: 'address' },
      {
        timeoutMs: 60_000,
        work: { signal: controller.signal },
      },
    );
    setTimeout(() => {
      controller.abort();
    }, 300);
    await expectRefusal(waiting, 'INTERRUPTED');
    expect(await listInstances(guest.host)).toMatchObject([{ status: 'ACTIVE' }]);
  });

  it('an interrupted launch is undone, and says so', async () => {
    const guest = await openHostOf(readConsoleFixture('no-dhcp'));
    const controller = new AbortController();
    setTimeout(() => {
      controller.abort();
    }, 1500);
    await expectRefusal(guest.launch({ wait: { kind: 'address' } }, controller.signal), 'INTERRUPTED');
    expect(guest.events).toContainEqual({
      type: 'notice',
      message: expect.stringContaining('undoing the launch of itg-00000001') as string,
    });
    expect(await guest.integration.hypervisor.listDomains()).toEqual([]);
  });

  it.each(['shut off', 'paused'] as const)('refuses one that is %s', async (state) => {
    const guest = await openHostOf('');
    const { instance } = await guest.launch({ wait: { kind: 'none' } });
    guest.integration.hypervisor.setState(instance.uuid, state);
    const waiting = waitForInstances(guest.host, ['itg-00000001'], { kind: 'ssh' }, { timeoutMs: 5000 });
    const error = await expectRefusal(waiting, 'INSTANCE_STATE');
    expect(error.hint).toMatch(/launch (start|resume) itg-00000001/);
  });

  it('asks for the leases of ten guests as often as for those of one', async () => {
    const guest = await openHostOf(readConsoleFixture('no-dhcp'));
    const { hypervisor } = guest.integration;
    const names: string[] = [];
    for (let index = 0; index < 10; index += 1) {
      names.push((await guest.launch({ wait: { kind: 'none' } })).instance.domainName);
    }
    const asked = () => hypervisor.calls.filter(({ method }) => method === 'listLeases').length;
    const before = asked();
    const waited = await waitForInstances(guest.host, names, { kind: 'address' }, { timeoutMs: 2000 });
    expect(waited.every((one) => 'error' in one)).toBe(true);
    expect(asked() - before).toBeLessThanOrEqual(8);
  });
});
