import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, describe, expect, it } from 'vitest';
import type { PortForward } from '../../src/domain/domain-spec.js';
import { ensureChild, replaceText } from '../../src/domain/edit-xml.js';
import { parseDomain } from '../../src/domain/parse-domain.js';
import { parseCapabilities } from '../../src/instance/doctor/capabilities.js';
import { parseNetwork } from '../../src/domain/parse-network.js';
import { readXml } from '../../src/domain/read-xml.js';
import { setInterfaces } from '../../src/domain/render-interfaces.js';
import { writeXml } from '../../src/domain/write-xml.js';
import { systemCommandRunner } from '../../src/host/command.js';
import type { Hypervisor } from '../../src/libvirt/hypervisor.js';
import { LibvirtHypervisor } from '../../src/libvirt/libvirt-hypervisor.js';
import { FakeHypervisor } from '../support/fake-hypervisor.js';
import { expectRefusal, makeTemporaryDirectory } from '../support/integration-host.js';

/** What is asked of libvirt here, whatever stands behind the interface. */
interface Subject {
  readonly name: string;
  readonly domainType: string;
  readonly osType: string;
  open(): Hypervisor;
  /** Whether the guest of `domainXml` hears the power button. */
  readonly guestObeys: boolean;
  /** Reset, machine types, disks, networks, volumes: what libvirt's test driver only pretends or lacks. */
  readonly complete: boolean;
}

const systemUri = 'qemu:///system';

const subjects: readonly Subject[] = [
  {
    name: 'FakeHypervisor',
    domainType: 'qemu',
    osType: '<type arch="x86_64" machine="pc">hvm</type>',
    open: () => new FakeHypervisor(),
    guestObeys: true,
    complete: true,
  },
  {
    name: "LibvirtHypervisor on libvirt's test driver",
    domainType: 'test',
    osType: '<type arch="i686">hvm</type>',
    open: () => new LibvirtHypervisor('test:///default', systemCommandRunner),
    guestObeys: true,
    // Its state is its connection's, so virsh, which opens another, sees none of the domains.
    complete: false,
  },
  {
    name: 'LibvirtHypervisor on qemu:///system',
    domainType: 'qemu',
    osType: '<type arch="x86_64" machine="pc">hvm</type>',
    open: () => new LibvirtHypervisor(systemUri, systemCommandRunner),
    // A guest without a disk stays in its firmware.
    guestObeys: false,
    complete: true,
  },
];

async function virsh(...args: readonly string[]): Promise<string> {
  return (await execa('virsh', ['-q', '-c', systemUri, ...args])).stdout;
}

describe.each(subjects)('$name', (subject) => {
  const isSystem = subject.name.endsWith(systemUri);
  const defined = new Set<string>();
  let hypervisor: Hypervisor | undefined;

  function open(): Hypervisor {
    return (hypervisor ??= subject.open());
  }

  function domainXml(
    domain: { readonly name: string; readonly uuid: string },
    options: { readonly memoryMib?: number; readonly devices?: string } = {},
  ): string {
    defined.add(domain.uuid);
    return [
      `<domain type="${subject.domainType}"><name>${domain.name}</name><uuid>${domain.uuid}</uuid>`,
      `<memory unit="MiB">${options.memoryMib ?? 32}</memory><os>${subject.osType}</os>`,
      `<features><acpi/></features><devices>${options.devices ?? ''}</devices></domain>`,
    ].join('');
  }

  function newDomain(): { readonly name: string; readonly uuid: string } {
    return { name: `hvc-${randomBytes(4).toString('hex')}`, uuid: randomUUID() };
  }

  async function defineNew(options: { readonly devices?: string } = {}) {
    const domain = newDomain();
    await open().defineDomain(domainXml(domain, options));
    return domain;
  }

  async function stateOf(uuid: string): Promise<string | undefined> {
    return (await open().findDomain(uuid))?.state;
  }

  afterEach(async () => {
    for (const uuid of defined) {
      if (!isSystem) continue;
      await execa('virsh', ['-q', '-c', systemUri, 'destroy', uuid], { reject: false });
      await execa('virsh', ['-q', '-c', systemUri, 'undefine', uuid], { reject: false });
    }
    defined.clear();
    await hypervisor?.close();
    hypervisor = undefined;
  });

  // Without a libvirtd these fail; scripts/setup starts one.
  describe('domains', () => {
    it('a domain that is defined is found and listed, and is off', async () => {
      const domain = newDomain();
      expect(await open().defineDomain(domainXml(domain))).toEqual({ ...domain, state: 'shut off' });
      expect(await open().findDomain(domain.uuid)).toEqual({ ...domain, state: 'shut off' });
      expect(await open().listDomains()).toContainEqual({ ...domain, state: 'shut off' });
      expect(parseDomain(await open().readDomainXml(domain.uuid))).toMatchObject({
        ...domain,
        memoryMib: 32,
      });
    });

    it('a domain that is not there is undefined when looked for, and an error for everything else', async () => {
      const uuid = randomUUID();
      expect(await open().findDomain(uuid)).toBeUndefined();
      await expectRefusal(open().readDomainXml(uuid), 'HYPERVISOR_FAILED');
      for (const verb of [
        'start',
        'shutdown',
        'reboot',
        'destroy',
        'suspend',
        'resume',
        'undefine',
      ] as const) {
        await expectRefusal(open()[`${verb}Domain`](uuid), 'HYPERVISOR_FAILED');
      }
    });

    it('what is no domain is not defined', async () => {
      const before = (await open().listDomains()).length;
      await expectRefusal(open().defineDomain('<domain'), 'HYPERVISOR_FAILED');
      await expectRefusal(open().defineDomain('<network><name>a</name></network>'), 'HYPERVISOR_FAILED');
      await expectRefusal(open().defineDomain('<domain type="qemu"/>'), 'HYPERVISOR_FAILED');
      if (!isSystem) expect((await open().listDomains()).length).toBe(before);
    });

    it('a name that another uuid has is refused, and the other stays as it was', async () => {
      const first = await defineNew();
      const second = { name: first.name, uuid: randomUUID() };
      const error = await expectRefusal(
        open().defineDomain(domainXml(second, { memoryMib: 48 })),
        'HYPERVISOR_FAILED',
      );
      expect(error.message).toContain(`domain '${first.name}' already exists with uuid ${first.uuid}`);
      expect(await open().findDomain(second.uuid)).toBeUndefined();
      expect(parseDomain(await open().readDomainXml(first.uuid)).memoryMib).toBe(32);
    });

    it('the same uuid defines anew, but not under another name', async () => {
      const domain = await defineNew();
      await open().defineDomain(domainXml(domain, { memoryMib: 48 }));
      expect(parseDomain(await open().readDomainXml(domain.uuid)).memoryMib).toBe(48);
      const renamed = { ...domain, name: `${domain.name}-b` };
      await expectRefusal(open().defineDomain(domainXml(renamed)), 'HYPERVISOR_FAILED');
      expect(await open().findDomain(domain.uuid)).toMatchObject(domain);
    });

    it('start and destroy: each only once', async () => {
      const { uuid } = await defineNew();
      await expectRefusal(open().destroyDomain(uuid), 'HYPERVISOR_FAILED');
      await open().startDomain(uuid);
      expect(await stateOf(uuid)).toBe('running');
      await expectRefusal(open().startDomain(uuid), 'HYPERVISOR_FAILED');
      await open().destroyDomain(uuid);
      expect(await stateOf(uuid)).toBe('shut off');
      await expectRefusal(open().destroyDomain(uuid), 'HYPERVISOR_FAILED');
    });

    it('defining what runs changes the next start, not the guest', async () => {
      const domain = await defineNew();
      await open().startDomain(domain.uuid);
      await open().defineDomain(domainXml(domain, { memoryMib: 48 }));
      expect(await stateOf(domain.uuid)).toBe('running');
      const memoryOf = async (inactive: boolean) =>
        parseDomain(await open().readDomainXml(domain.uuid, { inactive })).memoryMib;
      expect(await memoryOf(false)).toBe(32);
      expect(await memoryOf(true)).toBe(48);
      // Only a running domain has a number, and only in its live document.
      expect(await open().readDomainXml(domain.uuid)).toMatch(/^<domain [^>]*\bid=/);
      expect(await open().readDomainXml(domain.uuid, { inactive: true })).not.toMatch(/^<domain [^>]*\bid=/);
      await open().destroyDomain(domain.uuid);
      expect(await memoryOf(false)).toBe(48);
    });

    it('suspend and resume', async () => {
      const { uuid } = await defineNew();
      await expectRefusal(open().suspendDomain(uuid), 'HYPERVISOR_FAILED');
      await expectRefusal(open().resumeDomain(uuid), 'HYPERVISOR_FAILED');
      await open().startDomain(uuid);
      await expectRefusal(open().resumeDomain(uuid), 'HYPERVISOR_FAILED');
      await open().suspendDomain(uuid);
      expect(await stateOf(uuid)).toBe('paused');
      await open().resumeDomain(uuid);
      expect(await stateOf(uuid)).toBe('running');
    });

    it('the power button is for a guest that runs, and the guest decides', async () => {
      const { uuid } = await defineNew();
      await expectRefusal(open().shutdownDomain(uuid), 'HYPERVISOR_FAILED');
      await open().startDomain(uuid);
      await open().shutdownDomain(uuid);
      expect(await stateOf(uuid)).toBe(subject.guestObeys ? 'shut off' : 'running');
    });

    it('a domain that is off is forgotten', async () => {
      const { uuid } = await defineNew();
      await open().undefineDomain(uuid);
      expect(await open().findDomain(uuid)).toBeUndefined();
      expect((await open().listDomains()).map((domain) => domain.uuid)).not.toContain(uuid);
      await expectRefusal(open().undefineDomain(uuid), 'HYPERVISOR_FAILED');
    });

    it('a running domain that is undefined runs on, and is gone when it stops', async () => {
      const { uuid } = await defineNew();
      await open().startDomain(uuid);
      await open().undefineDomain(uuid);
      expect(await stateOf(uuid)).toBe('running');
      await open().destroyDomain(uuid);
      expect(await open().findDomain(uuid)).toBeUndefined();
    });

    it('gives the command of a console', () => {
      expect(open().consoleCommand('a')).toEqual([
        'virsh',
        '--connect',
        open().uri,
        'console',
        '--domain',
        'a',
      ]);
    });
  });

  if (!subject.complete) return;
  describe('what only QEMU has', () => {
    it('freezes the machine type at the first definition', async () => {
      const { uuid } = await defineNew();
      const { machineType } = parseDomain(await open().readDomainXml(uuid, { inactive: true }));
      expect(machineType).toMatch(/^pc-i440fx-\d+\.\d+$/);
    });

    it('resets what runs; what is paused cannot be asked', async () => {
      const { uuid } = await defineNew();
      await expectRefusal(open().rebootDomain(uuid), 'HYPERVISOR_FAILED');
      await open().startDomain(uuid);
      await open().rebootDomain(uuid);
      expect(await stateOf(uuid)).toBe('running');
      // A paused guest does not hear the power button.
      await open().suspendDomain(uuid);
      await expectRefusal(open().shutdownDomain(uuid), 'HYPERVISOR_FAILED');
      expect(await stateOf(uuid)).toBe('paused');
    });

    it('does not start on a disk that is missing', async () => {
      const path = join(await makeTemporaryDirectory(), 'missing');
      const { uuid } = await defineNew({
        devices: `<disk type="file" device="disk"><driver name="qemu" type="raw"/><source file="${path}"/><target dev="vda" bus="virtio"/></disk>`,
      });
      const error = await expectRefusal(open().startDomain(uuid), 'HYPERVISOR_FAILED');
      expect(error.message).toContain(`Cannot access storage file '${path}'`);
      expect(await stateOf(uuid)).toBe('shut off');
    });

    it('starts a network once, and tells its leases', async () => {
      const name = `hvc-${randomBytes(3).toString('hex')}`;
      const target = open();
      if (target instanceof FakeHypervisor) target.addNetwork(name, { active: false });
      else {
        const file = join(await makeTemporaryDirectory(), 'network.xml');
        await writeFile(file, `<network><name>${name}</name></network>`);
        await virsh('net-define', file);
      }
      try {
        const find = async () => (await target.listNetworks()).find((network) => network.name === name);
        expect(await find()).toEqual({ name, active: false });
        await target.startNetwork(name);
        expect(await find()).toEqual({ name, active: true });
        await expectRefusal(target.startNetwork(name), 'HYPERVISOR_FAILED');
        expect(await target.listLeases(name)).toEqual([]);
      } finally {
        if (isSystem) {
          await execa('virsh', ['-q', '-c', systemUri, 'net-destroy', name], { reject: false });
          await virsh('net-undefine', name);
        }
      }
    });

    it('keeps addresses in a running network, in its definition, or in both', async () => {
      const name = `hvc-${randomBytes(3).toString('hex')}`;
      const subnet = `10.${97 + Math.floor(Math.random() * 30)}.${Math.floor(Math.random() * 256)}`;
      const xml = `<network><name>${name}</name><bridge name="${name}"/><ip address="${subnet}.1" netmask="255.255.255.0"><dhcp><range start="${subnet}.100" end="${subnet}.120"/></dhcp></ip></network>`;
      const target = open();
      if (target instanceof FakeHypervisor) target.addNetwork(name, { active: false, xml });
      else {
        const file = join(await makeTemporaryDirectory(), 'network.xml');
        await writeFile(file, xml);
        await virsh('net-define', file);
      }
      const read = async (inactive: boolean) =>
        parseNetwork(await target.readNetworkXml(name, { inactive })).dhcp?.hosts.map(
          ({ macAddress, address }) => ({ macAddress, address }),
        );
      const [first, second] = [
        { macAddress: '52:54:00:00:00:01', address: `${subnet}.50` },
        { macAddress: '52:54:00:00:00:02', address: `${subnet}.51` },
      ];
      const both = { live: true, config: true };
      try {
        await expectRefusal(target.addDhcpHost(name, first, both), 'HYPERVISOR_FAILED');
        await target.addDhcpHost(name, first, { live: false, config: true });
        expect([await read(false), await read(true)]).toEqual([[first], [first]]);
        await target.startNetwork(name);
        await target.addDhcpHost(name, second, { live: true, config: false });
        expect([await read(false), await read(true)]).toEqual([[first, second], [first]]);
        for (const clash of [
          { ...second, address: first.address },
          { ...second, macAddress: first.macAddress },
        ]) {
          await expectRefusal(target.addDhcpHost(name, clash, both), 'HYPERVISOR_FAILED');
        }
        await expectRefusal(
          target.removeDhcpHost(name, second, { live: false, config: true }),
          'HYPERVISOR_FAILED',
        );
        await target.removeDhcpHost(name, second, { live: true, config: false });
        await target.removeDhcpHost(name, first, both);
        expect([await read(false), await read(true)]).toEqual([[], []]);
        await expectRefusal(target.addDhcpHost('hvc-none', first, both), 'HYPERVISOR_FAILED');
      } finally {
        if (isSystem) {
          await execa('virsh', ['-q', '-c', systemUri, 'net-destroy', name], { reject: false });
          await virsh('net-undefine', name);
        }
      }
    });

    it('keeps what is for QEMU alone, and does not start on a port that another has', async () => {
      const forward: PortForward = { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 0, guestPort: 22 };
      const hostPort = 30_000 + Math.floor(Math.random() * 2000);
      const define = async () => {
        const { name, uuid } = newDomain();
        const bare = `<domain><os>${subject.osType}</os></domain>`;
        const macAddress = '52:54:00:00:00:01';
        const interfaces = [
          { kind: 'user', macAddress, model: null, forwards: [{ ...forward, hostPort }] } as const,
        ];
        const tree = readXml(bare);
        const devices = ensureChild(tree, 'devices');
        setInterfaces(tree, devices, interfaces);
        defined.add(uuid);
        for (const [key, text] of Object.entries({ name, uuid, memory: '32768' }))
          replaceText(tree, key, text);
        tree.attributes.set('type', subject.domainType);
        await open().defineDomain(writeXml(tree));
        return uuid;
      };
      const [first, second] = [await define(), await define()];
      const { interfaces } = parseDomain(await open().readDomainXml(first, { inactive: true }));
      expect(interfaces).toMatchObject([{ type: 'user', macAddress: '52:54:00:00:00:01', model: 'virtio' }]);
      await open().startDomain(first);
      const error = await expectRefusal(open().startDomain(second), 'HYPERVISOR_FAILED');
      expect(error.message).toContain(
        `Could not set up host forwarding rule 'tcp:127.0.0.1:${hostPort}-:22'`,
      );
      expect(await stateOf(second)).toBe('shut off');
    });

    it('tells its versions, and what the host can do', async () => {
      expect(await open().readVersions(10_000)).toEqual({
        libvirt: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
        emulator: expect.stringMatching(/^QEMU \d+\.\d+/) as string,
      });
      expect(parseCapabilities(await open().readCapabilities())).toMatchObject({
        arch: expect.any(String) as string,
        securityModels: expect.arrayContaining(['dac']) as string[],
        qemuUser: { uid: expect.any(Number) as number, gid: expect.any(Number) as number },
        machineTypes: expect.arrayContaining(['pc', 'q35']) as string[],
      });
    });

    it('defines a network, tells of it, and lets it start with libvirt', async () => {
      const name = `hvc-${randomBytes(3).toString('hex')}`;
      const target = open();
      const addresses =
        '<ip address="198.51.100.1" netmask="255.255.255.0"><dhcp><range start="198.51.100.2" end="198.51.100.9"/></dhcp></ip>';
      const file = join(await makeTemporaryDirectory(), 'network.xml');
      await writeFile(file, `<network><name>${name}</name><bridge name="${name}"/>${addresses}</network>`);
      await target.defineNetwork(file);
      try {
        expect(await target.readNetworkXml(name)).toContain('198.51.100.9');
        expect(await target.readNetworkSettings(name)).toEqual({ persistent: true, autostart: false });
        await target.setNetworkAutostart(name);
        expect(await target.readNetworkSettings(name)).toEqual({ persistent: true, autostart: true });
        await expectRefusal(target.restartNetworkDhcp(name), 'HYPERVISOR_FAILED');
        await target.startNetwork(name);
        await target.restartNetworkDhcp(name);
        expect(await target.readNetworkXml(name)).not.toContain('txt');
      } finally {
        if (isSystem) {
          await execa('virsh', ['-q', '-c', systemUri, 'net-destroy', name], { reject: false });
          await virsh('net-undefine', name);
        }
      }
      await writeFile(file, '<network/>');
      await expectRefusal(target.defineNetwork(file), 'HYPERVISOR_FAILED');
    });

    it('a network that is not there is not started, and has no leases', async () => {
      await expectRefusal(open().startNetwork('hvc-none'), 'HYPERVISOR_FAILED');
      await expectRefusal(open().listLeases('hvc-none'), 'HYPERVISOR_FAILED');
      await expectRefusal(open().readNetworkXml('hvc-none'), 'HYPERVISOR_FAILED');
      await expectRefusal(open().readNetworkSettings('hvc-none'), 'HYPERVISOR_FAILED');
      await expectRefusal(open().setNetworkAutostart('hvc-none'), 'HYPERVISOR_FAILED');
    });

    it('finds the file of a volume', async () => {
      const pool = `hvc-${randomBytes(3).toString('hex')}`;
      const directory = join(await makeTemporaryDirectory(), 'pool');
      const path = join(directory, 'volume');
      const target = open();
      if (target instanceof FakeHypervisor) target.addVolume(pool, 'volume', path);
      else {
        await mkdir(directory);
        await writeFile(path, 'content');
        // Transient: it has no file of libvirt's that could outlive this test.
        await virsh('pool-create-as', pool, 'dir', '--target', directory);
      }
      try {
        expect(await target.findVolumePath(pool, 'volume')).toBe(path);
        expect(await target.findVolumePath(pool, 'other')).toBeUndefined();
        expect(await target.findVolumePath('hvc-none', 'volume')).toBeUndefined();
      } finally {
        if (isSystem) await virsh('pool-destroy', pool);
      }
    });
  });
});

describe('networks of the test driver', () => {
  it('are read through virsh', async () => {
    const hypervisor = new LibvirtHypervisor('test:///default', systemCommandRunner);
    expect(await hypervisor.listNetworks()).toEqual([{ name: 'default', active: true }]);
    await expectRefusal(hypervisor.startNetwork('default'), 'HYPERVISOR_FAILED');
  });
});

describe('a libvirt that cannot be reached', () => {
  const uris = [
    'qemu+unix:///system?socket=/nonexistent/launch-test-socket',
    'qemu+tcp://127.0.0.1:1/system',
  ];

  it.each(uris)('%s is HYPERVISOR_UNREACHABLE, and says what to do', async (uri) => {
    const hypervisor = new LibvirtHypervisor(uri, systemCommandRunner);
    for (const call of [
      () => hypervisor.listDomains(),
      () => hypervisor.findDomain(randomUUID()),
      () => hypervisor.listNetworks(),
      () => hypervisor.startNetwork('default'),
    ]) {
      const error = await expectRefusal(call(), 'HYPERVISOR_UNREACHABLE');
      expect(error.message).toContain(uri);
      expect(error.hint).toContain('libvirtd');
    }
    await hypervisor.close();
  });

  it.each(['nonsense:///system', 'qemu:///nonsense'])('so is %s', async (uri) => {
    const hypervisor = new LibvirtHypervisor(uri, systemCommandRunner);
    const error = await expectRefusal(hypervisor.listDomains(), 'HYPERVISOR_UNREACHABLE');
    expect(error.hint).toBeDefined();
  });

  it('is told within the time by who is asked for a sign of life', async () => {
    const socket = join(await makeTemporaryDirectory(), 'hangs');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    try {
      const uri = `qemu+unix:///system?socket=${socket}`;
      const hypervisor = new LibvirtHypervisor(uri, systemCommandRunner);
      const error = await expectRefusal(hypervisor.readVersions(500), 'HYPERVISOR_UNREACHABLE');
      expect(error.message).toContain('no answer within 0.5 s');
    } finally {
      server.close();
    }
  });

  it('a volume of it is not taken for one that does not exist', async () => {
    const hypervisor = new LibvirtHypervisor(uris[0] ?? '', systemCommandRunner);
    await expectRefusal(hypervisor.findVolumePath('default', 'volume'), 'HYPERVISOR_UNREACHABLE');
  });

  it.each(['test:///default', systemUri])('%s answers what it was asked before it is closed', async (uri) => {
    const hypervisor = new LibvirtHypervisor(uri, systemCommandRunner);
    let answered = 0;
    const asking = Array.from({ length: 20 }, async () => {
      await hypervisor.listDomains();
      answered += 1;
    });
    await hypervisor.close();
    expect(answered).toBe(20);
    await Promise.all(asking);
  });

  it('a broken connection is opened anew by the next call', async () => {
    const hypervisor = new LibvirtHypervisor('test:///default', systemCommandRunner);
    await hypervisor.listDomains();
    await hypervisor.close();
    expect(await hypervisor.listDomains()).toHaveLength(1);
    await hypervisor.close();
    await hypervisor.close();
  });
});
