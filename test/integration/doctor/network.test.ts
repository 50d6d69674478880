import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { systemCommandRunner, type CommandRunner } from '../../../src/host/command.js';
import type { ExaminedPlaces } from '../../../src/instance/doctor/examination.js';
import { lookAt, writeIn } from '../../support/examined-host.js';
import { openIntegrationHost, type IntegrationHost } from '../../support/integration-host.js';

const name = 'guests';
const xml = `<network><name>${name}</name><forward mode="nat"/><bridge name="virbrtest"/>
  <ip address="198.51.100.1" netmask="255.255.255.0"><dhcp>
    <range start="198.51.100.10" end="198.51.100.19"/></dhcp></ip></network>`;

let host: IntegrationHost;
let places: Partial<ExaminedPlaces>;

beforeEach(async () => {
  host = await openIntegrationHost();
  host.hypervisor.addNetwork(name, { xml, autostart: true });
  const proc = join(host.directory, 'proc');
  await writeIn(proc, 'sys/net/ipv4/ip_forward', '1\n');
  await writeIn(proc, 'net/route', 'Iface\tDestination\tGateway\neth0\t00000000\t010200C0\n');
  await writeIn(
    proc,
    '4711/cmdline',
    ['/usr/sbin/dnsmasq', `--conf-file=/var/lib/libvirt/dnsmasq/${name}.conf`, '--leasefile-ro', ''].join(
      '\0',
    ),
  );
  await writeIn(host.directory, 'sys/class/net/virbrtest/ifindex', '9\n');
  places = { network: name, proc, sys: join(host.directory, 'sys') };
});

describe('network', () => {
  it('is well', async () => {
    expect(await lookAt(host, 'network', { places })).toMatchObject({
      status: 'ok',
      problems: [],
      found: 'guests: active, nat, virbrtest, 198.51.100.1/24',
    });
  });

  it('that is not there fails', async () => {
    const look = await lookAt(host, 'network', { places: { ...places, network: 'none' } });
    expect(look).toMatchObject({ status: 'failed', problems: [{ cure: { automatic: false } }] });
    expect(look.problems[0]?.why).toContain('default, guests');
  });

  it('is defined from the document that the distribution keeps', async () => {
    const file = join(host.directory, 'kept.xml');
    await writeFile(file, xml.replace(name, 'kept'));
    const kept = { ...places, network: 'kept', networkDocuments: ['/nonexistent', file] };
    expect(await lookAt(host, 'network', { places: kept })).toMatchObject({ status: 'failed' });
    expect(await lookAt(host, 'network', { places: kept, fix: true })).toMatchObject({
      status: 'ok',
      done: ['defined and started the network "kept"'],
    });
  });

  it('is started, and starts with libvirt from then on', async () => {
    host.hypervisor.addNetwork(name, { xml, active: false });
    expect(await lookAt(host, 'network', { places })).toMatchObject({ levels: ['warning', 'note'] });
    expect(await lookAt(host, 'network', { places, fix: true })).toMatchObject({
      status: 'ok',
      problems: [],
    });
    expect(await host.hypervisor.readNetworkSettings(name)).toMatchObject({ autostart: true });
    expect((await lookAt(host, 'network', { places, fix: true })).done).toEqual([]);
  });

  it('whose bridge somebody took away fails', async () => {
    await execa('rm', ['-r', join(host.directory, 'sys/class/net/virbrtest')]);
    expect(await lookAt(host, 'network', { places })).toMatchObject({ status: 'failed' });
  });
});

describe('dhcp', () => {
  const lease = (end: number) => {
    host.hypervisor.addLease(name, {
      macAddress: `52:54:00:00:00:${end}`,
      address: `198.51.100.${end}`,
      hostname: undefined,
    });
  };

  it('has addresses left until it has none', async () => {
    expect(await lookAt(host, 'dhcp', { places })).toMatchObject({
      status: 'ok',
      found: 'dnsmasq, 10 of 10 addresses free, 0 leases of machines that libvirt does not know',
    });
    for (let end = 10; end < 19; end += 1) lease(end);
    expect(await lookAt(host, 'dhcp', { places })).toMatchObject({
      status: 'warning',
      facts: { freeAddresses: 1 },
    });
    lease(19);
    const look = await lookAt(host, 'dhcp', { places });
    expect(look).toMatchObject({ status: 'failed', facts: { freeAddresses: 0 } });
    expect(look.problems[0]?.cure.text).toContain('10 leases of machines that are gone');
  });

  it('is dead without its own dnsmasq, and started again', async () => {
    await writeIn(
      places.proc ?? '',
      '4711/cmdline',
      '/usr/sbin/dnsmasq\0--conf-file=/var/lib/libvirt/dnsmasq/other-guests.conf\0',
    );
    const look = await lookAt(host, 'dhcp', { places, fix: true });
    expect(look.done).toEqual(['dnsmasq of "guests" was started again']);
    expect(host.hypervisor.calls).toContainEqual({ method: 'restartNetworkDhcp', subject: name });
    // A libvirt in memory starts nothing.
    expect(look.status).toBe('failed');
  });
});

describe('firewall', () => {
  /** Rules are read in a network namespace of the test's own, so that they can be real. */
  async function openNamespace() {
    const holder = execa('unshare', ['--net', 'sleep', '120'], { reject: false });
    onTestFinished(async () => {
      holder.kill('SIGKILL');
      await holder;
    });
    const inside = ['--target', `${holder.pid ?? 0}`, '--net'];
    await expect.poll(() => namespaceOf(holder.pid)).not.toBe(await namespaceOf(process.pid));
    const runner: CommandRunner = {
      run: async (file, args, options) =>
        file === 'iptables' || file === 'nft'
          ? await systemCommandRunner.run('nsenter', [...inside, file, ...args], options)
          : await host.runner.run(file, args, options),
    };
    const enter = async (line: string, input?: string) => {
      await execa('nsenter', [...inside, ...line.split(' ')], input === undefined ? {} : { input });
    };
    return { enter, look: () => lookAt({ ...host, runner }, 'firewall', { places }) };
  }

  async function namespaceOf(pid: number | undefined): Promise<string> {
    return (await execa('readlink', [`/proc/${pid ?? 0}/ns/net`], { reject: false })).stdout;
  }

  const masquerade = 'iptables -t nat -A POSTROUTING -s 198.51.100.0/24 ! -d 198.51.100.0/24 -j MASQUERADE';

  it('is out of the way, until Docker drops what it does not know', async () => {
    const { enter, look } = await openNamespace();
    await enter(masquerade);
    expect(await look()).toMatchObject({
      status: 'ok',
      found: 'forwarding on, packets from virbrtest accepted, addresses translated',
    });
    for (const line of [
      '-P FORWARD DROP',
      '-N DOCKER-USER',
      '-A FORWARD -j DOCKER-USER',
      '-A FORWARD -i docker0 ! -o docker0 -j ACCEPT',
    ]) {
      await enter(`iptables ${line}`);
    }
    const dropped = await look();
    expect(dropped.levels).toEqual(['warning']);
    expect(dropped.problems[0]?.found).toContain('by the policy of FORWARD (Docker sets it)');
    // The cure that is told is one.
    for (const line of dropped.problems[0]?.cure.command?.split(' && ') ?? []) await enter(line);
    expect(await look()).toMatchObject({ status: 'ok', problems: [] });
  });

  it('is told when a table of nftables drops, and when the rules of libvirt are gone', async () => {
    const { enter, look } = await openNamespace();
    expect((await look()).problems[0]?.found).toContain(
      'rules that translate addresses of "guests" are gone',
    );
    await enter(masquerade);
    await enter(
      'nft -f -',
      'table inet mine { chain way { type filter hook forward priority 0; policy drop; }; }',
    );
    expect((await look()).problems[0]?.found).toContain('the table inet mine of nftables drops');
    await enter('nft -f -', 'table inet mine { chain way { iifname "virbrtest" accept; }; }');
    expect(await look()).toMatchObject({ status: 'ok', problems: [] });
  });

  it('a kernel that forwards nothing is told', async () => {
    const { enter, look } = await openNamespace();
    await enter(masquerade);
    await writeIn(places.proc ?? '', 'sys/net/ipv4/ip_forward', '0\n');
    expect((await look()).problems).toMatchObject([{ cure: { command: 'sysctl -w net.ipv4.ip_forward=1' } }]);
  });
});
