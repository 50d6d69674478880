import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { UserInterface } from '../../src/domain/domain-spec.js';
import { parseDomain } from '../../src/domain/parse-domain.js';
import { parseNetwork } from '../../src/domain/parse-network.js';
import type { CommandRunner } from '../../src/host/command.js';
import { renderRecord } from '../../src/host/record.js';
import type { WorkEvent } from '../../src/host/work.js';
import { rebootInstance, startInstance, stopInstance } from '../../src/instance/change-state.js';
import { clearLeftovers } from '../../src/instance/clear-leftovers.js';
import { deleteInstance } from '../../src/instance/delete-instance.js';
import { getInstance } from '../../src/instance/find-instance.js';
import type { InstanceRecord } from '../../src/instance/instance-record.js';
import { launchInstance } from '../../src/instance/launch-instance.js';
import { listInstances, viewInstance } from '../../src/instance/list-instances.js';
import type { NetworkRequest } from '../../src/instance/networks/plan-interfaces.js';
import type { LaunchRequest } from '../../src/instance/plan-launch.js';
import {
  expectRefusal,
  importTiny,
  listLitter,
  listTree,
  openIntegrationHost,
  snapshotTree,
  type IntegrationHost,
} from '../support/integration-host.js';

const request: LaunchRequest = {
  ...{ image: 'tiny', flavor: 'm1.tiny', virtType: 'qemu' },
  // What these tests are about is on the network.
  seed: { kind: 'none' },
};

const networkXml = (name: string) =>
  `<network><name>${name}</name><forward mode="nat"/><bridge name="virbr9"/>
   <ip address="10.7.0.1" netmask="255.255.255.0"><dhcp><range start="10.7.0.100" end="10.7.0.200"/></dhcp></ip>
   </network>`;

async function openPrepared(): Promise<IntegrationHost> {
  const host = await openIntegrationHost();
  host.hypervisor.addNetwork('net1', { xml: networkXml('net1') });
  await importTiny(host);
  return host;
}

/** net1 with this address kept. */
function kept(address: string, more: Partial<NetworkRequest> = {}): LaunchRequest {
  return { ...request, networks: [{ kind: 'network', network: 'net1', address, ...more } as NetworkRequest] };
}

/** `MAC address` of all entries, those of the running network and those of its definition. */
async function entriesOf(host: IntegrationHost, network = 'net1') {
  const read = async (inactive: boolean) =>
    parseNetwork(await host.hypervisor.readNetworkXml(network, { inactive })).dhcp?.hosts.map(
      ({ macAddress, address }) => `${macAddress ?? ''} ${address ?? ''}`,
    );
  return { live: await read(false), config: await read(true) };
}

const noEntries = { live: [], config: [] };

function entriesFor(instance: InstanceRecord) {
  const entries = instance.interfaces.flatMap((one) =>
    one.kind === 'network' && one.address !== null ? [`${one.macAddress} ${one.address}`] : [],
  );
  return { live: entries, config: entries };
}

/** Listens on a port of this host until the test is over. */
async function listenSomewhere(port = 0): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port }, resolve);
  });
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      }),
  );
  return (server.address() as AddressInfo).port;
}

function forwardsOf(instance: InstanceRecord): UserInterface['forwards'] {
  return instance.interfaces.flatMap((one) => (one.kind === 'user' ? one.forwards : []));
}

describe('an address that is asked for', () => {
  it('is kept for the card by the network, in what runs and in what is kept, and taken back on delete', async () => {
    const host = await openPrepared();
    const { instance } = await launchInstance(host, kept('10.7.0.50'));
    expect(instance.interfaces).toMatchObject([{ kind: 'network', network: 'net1', address: '10.7.0.50' }]);
    expect(await entriesOf(host)).toEqual(entriesFor(instance));
    expect((await entriesOf(host)).live).toHaveLength(1);
    await deleteInstance(host, instance.domainName);
    expect(await entriesOf(host)).toEqual(noEntries);
    await deleteInstance(host, instance.domainName);
  });

  it('is kept for the same card again, since dnsmasq gives it to no other while a lease of it lasts', async () => {
    const host = await openPrepared();
    const first = (await launchInstance(host, kept('10.7.0.50'))).instance;
    const macAddress = first.interfaces[0]?.macAddress ?? '';
    host.hypervisor.addLease('net1', { macAddress, address: '10.7.0.50', hostname: undefined });
    await deleteInstance(host, first.domainName);
    const second = (await launchInstance(host, kept('10.7.0.50'))).instance;
    expect(second.interfaces[0]?.macAddress).toBe(macAddress);
    const other = (await launchInstance(host, kept('10.7.0.51'))).instance;
    expect(other.interfaces[0]?.macAddress).not.toBe(macAddress);
  });

  it.each([
    ['of another subnet', '10.8.0.50', /it does not lie in 10\.7\.0\.0\/24/],
    ['of the host', '10.7.0.1', /it is the address of this host there/],
    ['of the network', '10.7.0.0', /it is an end of 10\.7\.0\.0\/24/],
    ['for all', '10.7.0.255', /it is an end of 10\.7\.0\.0\/24/],
  ])('%s is refused before anything is made', async (_, address, words) => {
    const host = await openPrepared();
    const before = await snapshotTree(host.home.root);
    const error = await expectRefusal(launchInstance(host, kept(address)), 'ADDRESS_INVALID');
    expect(error.message).toMatch(words);
    expect(error.hint).toBe('take one from 10.7.0.1 to 10.7.0.254, but not 10.7.0.1, which is this host');
    expect(await snapshotTree(host.home.root)).toEqual(before);
    expect(await entriesOf(host)).toEqual(noEntries);
  });

  it('is refused where the network has no DHCP server', async () => {
    const host = await openPrepared();
    host.hypervisor.addNetwork('bare');
    const networks = [{ kind: 'network' as const, network: 'bare', address: '10.7.0.50' }];
    const error = await expectRefusal(launchInstance(host, { ...request, networks }), 'ADDRESS_INVALID');
    expect(error.message).toContain('the network "bare" has no DHCP server');
  });

  it('that another instance has is refused by its name, also while that one is off and its entry is lost', async () => {
    const host = await openPrepared();
    const { instance } = await launchInstance(host, kept('10.7.0.50'));
    const [card] = instance.interfaces;
    const asOther = kept('10.7.0.50', { macAddress: '52:54:00:00:00:07' });
    const error = await expectRefusal(launchInstance(host, asOther), 'ADDRESS_IN_USE');
    expect(error.message).toContain(`kept for ${instance.domainName}, ${card?.macAddress ?? ''}`);
    await stopInstance(host, instance.domainName, { timeoutMs: 0 });
    const entry = { macAddress: card?.macAddress ?? '', address: '10.7.0.50' };
    await host.hypervisor.removeDhcpHost('net1', entry, { live: true, config: true });
    const late = await expectRefusal(launchInstance(host, asOther), 'ADDRESS_IN_USE');
    expect(late.message).toContain(`it is kept for ${instance.domainName}`);
    expect((await listInstances(host)).map(({ domainName }) => domainName)).toEqual([instance.domainName]);
    // Its start makes up for the entry.
    await startInstance(host, instance.domainName);
    expect(await entriesOf(host)).toEqual(entriesFor(instance));
  });

  it('that is leased to another card is refused, by whose it is or how to get it', async () => {
    const host = await openPrepared();
    const { instance } = await launchInstance(host, {
      ...request,
      networks: [{ kind: 'network', network: 'net1' }],
    });
    const macAddress = instance.interfaces[0]?.macAddress ?? '';
    host.hypervisor.addLease('net1', { macAddress, address: '10.7.0.60', hostname: undefined });
    const taken = await expectRefusal(launchInstance(host, kept('10.7.0.60')), 'ADDRESS_IN_USE');
    expect(taken.message).toContain(`${instance.domainName} has a lease of it`);
    const gone = '52:54:00:0d:0d:0d';
    host.hypervisor.addLease('net1', { macAddress: gone, address: '10.7.0.61', hostname: undefined });
    const stale = await expectRefusal(launchInstance(host, kept('10.7.0.61')), 'ADDRESS_IN_USE');
    expect(stale.hint).toContain(`ip=10.7.0.61,mac=${gone}`);
    const heir = await launchInstance(host, kept('10.7.0.61', { macAddress: gone }));
    expect(await entriesOf(host)).toEqual(entriesFor(heir.instance));
  });

  it('that the network keeps for this card anyway is nobody’s to take back', async () => {
    const host = await openPrepared();
    const entry = { macAddress: '52:54:00:00:00:07', address: '10.7.0.70' };
    await host.hypervisor.addDhcpHost('net1', entry, { live: true, config: true });
    const wanted = kept('10.7.0.70', { macAddress: '52:54:00:00:00:07' });
    const { instance } = await launchInstance(host, wanted);
    expect(instance.interfaces).toMatchObject([{ macAddress: '52:54:00:00:00:07', address: null }]);
    await deleteInstance(host, instance.domainName);
    expect((await entriesOf(host)).config).toEqual(['52:54:00:00:00:07 10.7.0.70']);
  });

  it('is forgotten with the network, and with the half of it that is left', async () => {
    const host = await openPrepared();
    const lost = (await launchInstance(host, kept('10.7.0.50'))).instance;
    host.hypervisor.loseNetwork('net1');
    await deleteInstance(host, lost.domainName);
    host.hypervisor.addNetwork('net1', { xml: networkXml('net1') });
    const { instance } = await launchInstance(host, kept('10.7.0.50'));
    const [card] = instance.interfaces;
    await host.hypervisor.removeDhcpHost(
      'net1',
      { macAddress: card?.macAddress ?? '', address: '10.7.0.50' },
      { live: true, config: false },
    );
    await deleteInstance(host, instance.domainName);
    expect(await entriesOf(host)).toEqual(noEntries);
  });

  it('on a network that is not kept by libvirt is asked of the running one alone', async () => {
    const host = await openPrepared();
    host.hypervisor.addNetwork('passing', { persistent: false, xml: networkXml('passing') });
    const networks = [{ kind: 'network' as const, network: 'passing', address: '10.7.0.50' }];
    const { instance } = await launchInstance(host, { ...request, networks });
    expect((await entriesOf(host, 'passing')).live).toEqual(entriesFor(instance).live);
    await deleteInstance(host, instance.domainName);
    expect((await entriesOf(host, 'passing')).live).toEqual([]);
  });

  it('is taken back when the launch fails, wherever libvirt does', async () => {
    const host = await openPrepared();
    let failures = 0;
    for (let turn = 1; ; turn += 1) {
      for (const when of ['before', 'after'] as const) {
        const before = await listTree(host.home.root);
        host.hypervisor.failAt(turn, { when });
        const outcome = await launchInstance(host, kept('10.7.0.50')).catch((error: unknown) => error);
        const unmet = host.hypervisor.clearFaults();
        if (outcome instanceof Error) {
          failures += 1;
          expect(await entriesOf(host), `call ${turn}, ${when}: ${outcome.message}`).toEqual(noEntries);
          expect(await listLitter(host, before)).toEqual([]);
          continue;
        }
        await deleteInstance(host, (outcome as { instance: InstanceRecord }).instance.domainName);
        expect(await entriesOf(host)).toEqual(noEntries);
        if (!unmet) continue;
        expect(failures).toBeGreaterThan(10);
        return;
      }
    }
  });

  it('is taken back when the launch is interrupted behind it', async () => {
    const host = await openPrepared();
    const controller = new AbortController();
    const onEvent = (event: WorkEvent) => {
      if (event.type === 'step-done' && event.step === 'address') controller.abort();
    };
    const launching = launchInstance(host, kept('10.7.0.50'), { signal: controller.signal, onEvent });
    await expectRefusal(launching, 'INTERRUPTED');
    expect(controller.signal.aborted).toBe(true);
    expect(await entriesOf(host)).toEqual(noEntries);
  });

  it('of a launch that was killed is taken back by the next command', async () => {
    const host = await openPrepared();
    const { instance } = await launchInstance(host, kept('10.7.0.50'));
    await writeFile(host.home.lock('maker-1-gone'), '');
    const { record } = host.home.instance(instance.domainName);
    await writeFile(record, renderRecord({ ...instance, maker: '1-gone' }));
    await clearLeftovers(host);
    expect(await entriesOf(host)).toEqual(noEntries);
    expect(await listInstances(host)).toEqual([]);
  });

  it('is had by one of two launches at once', async () => {
    const host = await openPrepared();
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => launchInstance(host, kept('10.7.0.50'))));
    const [winner, ...others] = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(others).toEqual([]);
    for (const one of outcomes) {
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'ADDRESS_IN_USE' });
    }
    if (winner === undefined) throw new Error('nobody got it');
    expect(await entriesOf(host)).toEqual(entriesFor(winner.instance));
    expect(await listInstances(host)).toHaveLength(1);
  });
});

describe('user networking', () => {
  const user: LaunchRequest = { ...request, networks: [{ kind: 'user' }] };

  it('forwards a port by the instance’s number to ssh, which the record, the domain and the list know', async () => {
    const host = await openPrepared();
    const { instance } = await launchInstance(host, user);
    const [ssh] = forwardsOf(instance);
    expect(ssh).toMatchObject({ protocol: 'tcp', hostAddress: '127.0.0.1', guestPort: 22 });
    expect(ssh?.hostPort).toBeGreaterThanOrEqual(20_000 + instance.number);
    expect(ssh?.hostPort).toBeLessThan(30_000);
    const xml = await host.hypervisor.readDomainXml(instance.uuid);
    expect(xml).toContain(`hostfwd=tcp:127.0.0.1:${ssh?.hostPort ?? 0}-:22`);
    expect(parseDomain(xml).interfaces).toMatchObject([
      { type: 'user', macAddress: instance.interfaces[0]?.macAddress, model: 'virtio' },
    ]);
    const { record } = host.home.instance(instance.domainName);
    expect(JSON.parse(await readFile(record, 'utf8'))).toMatchObject({ interfaces: instance.interfaces });
  });

  it('keeps clear of ports that are listened on, and of those of instances that are off', async () => {
    const host = await openPrepared();
    const first = (await launchInstance(host, user)).instance;
    await stopInstance(host, first.domainName, { timeoutMs: 0 });
    const expected = (forwardsOf(first)[0]?.hostPort ?? 0) + 1;
    // The second's own port by number is taken.
    await listenSomewhere(expected).catch(() => undefined);
    const others = await Promise.all([1, 2, 3].map(() => launchInstance(host, user)));
    const ports = [first, ...others.map(({ instance }) => instance)].map(
      (one) => forwardsOf(one)[0]?.hostPort,
    );
    expect(new Set(ports).size).toBe(4);
    expect(ports.slice(1)).not.toContain(expected);
  });

  it('leaves alone the port that an instance that is off has asked for', async () => {
    const host = await openPrepared();
    // The port of the second by its number; a real guest on this host may have it.
    const hostPort = 20_002;
    const asked = [{ protocol: 'udp' as const, hostPort, guestPort: 53 }];
    const first = (await launchInstance(host, { ...user, publish: asked })).instance;
    await stopInstance(host, first.domainName, { timeoutMs: 0 });
    const second = (await launchInstance(host, user)).instance;
    expect(second.number).toBe(2);
    expect(forwardsOf(second)[0]?.hostPort).toBeGreaterThan(hostPort);
  });

  it('takes another port when somebody takes the first between the choice and the start', async () => {
    const host = await openPrepared();
    host.hypervisor.stolenPorts = 2;
    const notices: string[] = [];
    const { instance } = await launchInstance(host, user, {
      onEvent: (event) => {
        if (event.type === 'notice') notices.push(event.message);
      },
    });
    const port = forwardsOf(instance)[0]?.hostPort ?? 0;
    const told = notices.flatMap(
      (text) => /took the port (\d+) meanwhile, trying another/.exec(text)?.[1] ?? [],
    );
    expect(new Set(told).size).toBe(2);
    expect(told).not.toContain(`${port}`);
    expect(await host.hypervisor.readDomainXml(instance.uuid)).toContain(`:${port}-:22`);
    const { record, domainXml } = host.home.instance(instance.domainName);
    expect(await readFile(record, 'utf8')).toContain(`"hostPort": ${port}`);
    expect(await readFile(domainXml, 'utf8')).toContain(`:${port}-:22`);
  });

  it('publishes what is asked for, and is refused by name where that is taken', async () => {
    const host = await openPrepared();
    const hostPort = await listenSomewhere();
    const publish = [{ protocol: 'tcp' as const, hostPort, guestPort: 80 }];
    const before = await snapshotTree(host.home.root);
    const error = await expectRefusal(launchInstance(host, { ...user, publish }), 'PORT_IN_USE');
    expect(error.message).toBe(`the port 127.0.0.1:${hostPort}/tcp of this host is taken by another process`);
    expect(await snapshotTree(host.home.root)).toEqual(before);
    // The same number, by another protocol.
    const udp = [{ protocol: 'udp' as const, hostPort, guestPort: 80 }];
    const { instance } = await launchInstance(host, { ...user, publish: udp });
    expect(forwardsOf(instance)).toMatchObject([
      { guestPort: 22 },
      { protocol: 'udp', hostPort, guestPort: 80 },
    ]);
  });

  it('does not move a port that was asked for when QEMU finds it taken: that is the launch’s end', async () => {
    const host = await openPrepared();
    const before = await listTree(host.home.root);
    host.hypervisor.takePort('tcp', 28_080);
    const publish = [{ protocol: 'tcp' as const, hostPort: 28_080, guestPort: 80 }];
    const error = await expectRefusal(launchInstance(host, { ...user, publish }), 'PORT_IN_USE');
    expect(error.message).toContain('127.0.0.1:28080/tcp');
    expect(await listLitter(host, before)).toEqual([]);
    expect(await host.hypervisor.listDomains()).toEqual([]);
  });

  it('refuses an address that this host does not have', async () => {
    const host = await openPrepared();
    const publish = [{ protocol: 'tcp' as const, hostAddress: '192.0.2.7', hostPort: 28_081, guestPort: 80 }];
    const error = await expectRefusal(launchInstance(host, { ...user, publish }), 'ARGUMENT_INVALID');
    expect(error.message).toContain('no interface of this host has that address');
  });

  it('has its port again at the next start; when that is taken, the error names it and whose it is', async () => {
    const host = await openPrepared();
    const { instance } = await launchInstance(host, user);
    const port = forwardsOf(instance)[0]?.hostPort ?? 0;
    await stopInstance(host, instance.domainName, { timeoutMs: 0 });
    await startInstance(host, instance.domainName);
    expect(await host.hypervisor.readDomainXml(instance.uuid)).toContain(`:${port}-:22`);
    await stopInstance(host, instance.domainName, { timeoutMs: 0 });
    await listenSomewhere(port);
    const error = await expectRefusal(startInstance(host, instance.domainName), 'PORT_IN_USE');
    expect(error.message).toBe(`the port 127.0.0.1:${port}/tcp of this host is taken by another process`);
    expect(await host.hypervisor.findDomain(instance.uuid)).toMatchObject({ state: 'shut off' });
  });

  it('names the other instance when two want one port, and when QEMU is the one to find out', async () => {
    const host = await openPrepared();
    const publish = [{ protocol: 'tcp' as const, hostPort: 28_082, guestPort: 80 }];
    const first = (await launchInstance(host, { ...user, publish })).instance;
    const error = await expectRefusal(launchInstance(host, { ...user, publish }), 'PORT_IN_USE');
    expect(error.message).toContain(`taken by ${first.domainName}`);
    expect(error.hint).toContain(`launch stop ${first.domainName}`);
    host.hypervisor.takePort('tcp', 28_082);
    const late = await expectRefusal(rebootInstance(host, first.domainName, { hard: true }), 'PORT_IN_USE');
    expect(late.message).toContain('28082/tcp');
  });
});

describe('several interfaces', () => {
  it('are there in their order, with their models and addresses', async () => {
    const host = await openPrepared();
    const { instance } = await launchInstance(host, {
      ...request,
      networks: [
        { kind: 'user', model: 'e1000' },
        { kind: 'network', network: 'net1', macAddress: '52:54:00:AA:00:01' },
        { kind: 'network', network: 'default', model: 'rtl8139' },
      ],
    });
    const { interfaces } = parseDomain(await host.hypervisor.readDomainXml(instance.uuid));
    expect(interfaces).toMatchObject([
      { type: 'user', model: 'e1000' },
      { type: 'network', network: 'net1', macAddress: '52:54:00:aa:00:01', model: 'virtio' },
      { type: 'network', network: 'default', model: 'rtl8139' },
    ]);
    host.hypervisor.addLease('net1', {
      ...{ macAddress: '52:54:00:aa:00:01', address: '10.7.0.9', hostname: undefined },
    });
    expect((await listInstances(host))[0]?.addresses).toEqual([
      { network: 'net1', address: '10.7.0.9', macAddress: '52:54:00:aa:00:01' },
    ]);
  });

  it('start each network that is off, and again with the instance', async () => {
    const host = await openPrepared();
    host.hypervisor.addNetwork('off1', { active: false });
    host.hypervisor.addNetwork('off2', { active: false });
    const networks = ['off1', 'off2'].map((network) => ({ kind: 'network' as const, network }));
    await launchInstance(host, { ...request, networks });
    expect(await host.hypervisor.listNetworks()).toContainEqual({ name: 'off1', active: true });
    expect(await host.hypervisor.listNetworks()).toContainEqual({ name: 'off2', active: true });
  });

  it('a MAC address of any domain is refused by its name; a new one is never one of them', async () => {
    const host = await openPrepared();
    const theirs = '52:54:00:77:77:77';
    await host.hypervisor.defineDomain(
      `<domain type="qemu"><name>theirs</name><os><type>hvm</type></os><devices><interface type="user"><mac address="${theirs.toUpperCase()}"/></interface></devices></domain>`,
    );
    const networks = [{ kind: 'network' as const, network: 'net1', macAddress: theirs }];
    const error = await expectRefusal(launchInstance(host, { ...request, networks }), 'ADDRESS_IN_USE');
    expect(error.message).toBe(`the MAC address ${theirs} is that of theirs`);
    // One of ours that libvirt has lost still has its own.
    const { instance } = await launchInstance(host, kept('10.7.0.50'));
    await host.hypervisor.destroyDomain(instance.uuid);
    host.hypervisor.loseDomain(instance.uuid);
    const own = instance.interfaces[0]?.macAddress;
    const again = [{ kind: 'network' as const, network: 'net1', macAddress: own }];
    const second = await expectRefusal(
      launchInstance(host, { ...request, networks: again }),
      'ADDRESS_IN_USE',
    );
    expect(second.message).toContain(instance.domainName);
  });
});

describe('the list of instances', () => {
  it('has the neighbours of this host where there is no lease, with one look for all', async () => {
    const host = await openPrepared();
    const cards = ['52:54:00:aa:00:01', '52:54:00:aa:00:02', '52:54:00:aa:00:03'] as const;
    for (const macAddress of cards) {
      await launchInstance(host, {
        ...request,
        networks: [{ kind: 'network', network: 'net1', macAddress }],
      });
    }
    const neighbours = [
      { dst: '10.7.0.8', lladdr: cards[0], state: ['STALE'] },
      { dst: '10.7.0.21', lladdr: cards[1].toUpperCase(), state: ['STALE'] },
      { dst: 'fe80::1', lladdr: cards[1], state: ['REACHABLE'] },
      { dst: '10.7.0.33', lladdr: '52:54:00:bb:00:01', state: ['REACHABLE'] },
    ];
    let looks = 0;
    const runner: CommandRunner = {
      run: async (file, args, options) => {
        if (file !== 'ip') return await host.runner.run(file, args, options);
        looks += 1;
        return { exitCode: 0, stdout: JSON.stringify(neighbours), stderr: '' };
      },
    };
    let asked = 0;
    host.hypervisor.agent = () => {
      asked += 1;
      return [{ 'hardware-address': cards[2], 'ip-addresses': [{ 'ip-address': '10.7.0.40' }] }];
    };
    host.hypervisor.addLease('net1', { macAddress: cards[0], address: '10.7.0.9', hostname: undefined });
    const seen = { ...host, runner };
    const addresses = (await listInstances(seen)).map((view) => view.addresses.map(({ address }) => address));
    expect(addresses).toEqual([['10.7.0.9'], ['10.7.0.21'], []]);
    expect([looks, asked]).toEqual([1, 0]);
    // One alone may be asked itself.
    const third = await viewInstance(seen, await getInstance(host, 'itg-00000003'));
    expect(third.addresses).toEqual([{ network: 'net1', address: '10.7.0.40', macAddress: cards[2] }]);
  });
});

describe('a bridge', () => {
  it('that is not there is refused with those that are', async () => {
    const host = await openPrepared();
    const networks = [{ kind: 'bridge' as const, bridge: 'br-none' }];
    const before = await snapshotTree(host.home.root);
    const error = await expectRefusal(launchInstance(host, { ...request, networks }), 'NETWORK_NOT_FOUND');
    expect(error.message).toBe('there is no bridge "br-none" on this host');
    expect(error.details?.['bridges']).toBeInstanceOf(Array);
    expect(await snapshotTree(host.home.root)).toEqual(before);
  });
});
