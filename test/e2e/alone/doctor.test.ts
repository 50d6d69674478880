import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HealthReport } from '../../../src/instance/doctor/examine-host.js';
import {
  createE2eHost,
  eventually,
  processesNaming,
  requireTinyImage,
  tinyImage,
  virsh,
  type E2eHost,
} from '../../support/e2e-host.js';

let host: E2eHost;
/** What a test made outside of its home, to be taken away whatever becomes of the test. */
let undo: (() => Promise<unknown>)[];

beforeEach(async () => {
  await requireTinyImage();
  host = await createE2eHost();
  undo = [];
});

afterEach(async () => {
  for (const step of undo.reverse()) await step();
  await host.dispose();
});

async function doctor(...args: readonly string[]): Promise<HealthReport & { readonly exitCode: number }> {
  const { exitCode, stdout } = await host.launch(['doctor', ...args, '--format', 'json']);
  return { ...(JSON.parse(stdout) as HealthReport), exitCode };
}

async function defineNetwork(subnet: string, last = 20): Promise<{ name: string; bridge: string }> {
  const name = `${host.prefix}net`;
  const bridge = `${host.prefix}br`;
  const file = join(host.home, 'network.xml');
  await writeFile(
    file,
    `<network><name>${name}</name><forward mode="nat"/><bridge name="${bridge}"/><ip address="${subnet}.1" netmask="255.255.255.0"><dhcp><range start="${subnet}.11" end="${subnet}.${last}"/></dhcp></ip></network>`,
  );
  await virsh('net-define', file);
  undo.push(async () => {
    await execa('virsh', ['-q', '-c', 'qemu:///system', 'net-destroy', name], { reject: false });
    await virsh('net-undefine', name);
  });
  return { name, bridge };
}

async function dnsmasqPids(network: string): Promise<readonly number[]> {
  const { stdout } = await execa('pgrep', ['-f', `dnsmasq/${network}[.]conf`], { reject: false });
  return stdout.split('\n').filter(Boolean).map(Number);
}

describe('launch doctor on the real libvirtd', () => {
  it('makes every check, quickly, and says whether a launch can work', async () => {
    const started = performance.now();
    const report = await doctor();
    // Two seconds on a quiet machine; nothing waits for ever on any.
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(report.checks).toHaveLength(13);
    expect(report.checks.filter(({ status }) => status === 'failed')).toEqual([]);
    expect(report).toMatchObject({ exitCode: 0, canLaunch: true });
    const { stdout, exitCode } = await host.launch(['doctor']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /\| libvirt +\| ok +\| libvirt \d+\.\d+\.\d+, (monolithic libvirtd|modular daemons)/,
    );
    for (const line of stdout.split('\n').filter((text) => text.startsWith('|'))) {
      expect(line.length).toBeLessThanOrEqual(100);
    }
  });

  it('starts a network that is off, marks it for autostart, and says so once', async () => {
    const { name } = await defineNetwork('198.51.100');
    const before = await doctor('network', '--network', name);
    expect(before.checks[0]?.problems.map(({ level }) => level)).toEqual(['warning', 'note']);
    const after = await doctor('network', '--network', name, '--fix');
    expect(after.fixes.map(({ done }) => done)).toEqual([
      `started the network "${name}"`,
      `the network "${name}" starts with libvirt from now on`,
    ]);
    expect(after.checks[0]).toMatchObject({ status: 'ok', problems: [] });
    expect(await virsh('net-info', name)).toMatch(/Active:\s+yes\n[^]*Autostart:\s+yes/);
    expect((await doctor('network', '--network', name, '--fix')).fixes).toEqual([]);
  });

  it('sees that a subnet is somebody else’s, which libvirt does too', async () => {
    const device = `${host.prefix}ot`;
    await execa('ip', ['link', 'add', device, 'type', 'bridge']);
    undo.push(() => execa('ip', ['link', 'delete', device]));
    await execa('ip', ['address', 'add', '198.51.100.77/24', 'dev', device]);
    await execa('ip', ['link', 'set', device, 'up']);
    const { name } = await defineNetwork('198.51.100');
    const report = await doctor('network', '--network', name, '--fix');
    expect(report).toMatchObject({ exitCode: 1, canLaunch: false });
    expect(report.checks[0]?.problems[0]?.found).toContain(`address 198.51.100.77/24 on ${device}`);
    await expect(virsh('net-start', name)).rejects.toThrow('already in use');
    // One that only overlaps libvirt does not see.
    await execa('ip', ['address', 'flush', 'dev', device]);
    await execa('ip', ['address', 'add', '198.51.100.77/25', 'dev', device]);
    await virsh('net-start', name);
    expect(await doctor('network', '--network', name)).toMatchObject({
      exitCode: 0,
      checks: [{ status: 'warning' }],
    });
  });

  it('brings the dnsmasq of a network back, and tells when its addresses run out', async () => {
    const { name, bridge } = await defineNetwork('198.51.100', 13);
    await virsh('net-start', name);
    expect((await doctor('dhcp', '--network', name)).checks[0]).toMatchObject({ status: 'ok' });
    for (const pid of await dnsmasqPids(name)) process.kill(pid);
    await eventually('dnsmasq is gone', async () =>
      (await dnsmasqPids(name)).length === 0 ? true : undefined,
    );
    const dead = await doctor('dhcp', '--network', name);
    expect(dead).toMatchObject({ exitCode: 1, checks: [{ problems: [{ cure: { automatic: true } }] }] });
    const cured = await doctor('dhcp', '--network', name, '--fix');
    expect(cured).toMatchObject({ exitCode: 0, fixes: [{ done: `dnsmasq of "${name}" was started again` }] });
    expect(await dnsmasqPids(name)).not.toEqual([]);
    // Nothing of the cure stays.
    expect(await virsh('net-dumpxml', name)).not.toContain('txt');
    expect(await virsh('net-dumpxml', '--inactive', name)).not.toContain('txt');
    // What libvirt's lease helper writes when dnsmasq gives an address out.
    const leases = [11, 12, 13].map((end) => ({
      'ip-address': `198.51.100.${end}`,
      'mac-address': `52:54:00:00:00:${end}`,
      'expiry-time': Math.floor(Date.now() / 1000) + 3600,
    }));
    await writeFile(`/var/lib/libvirt/dnsmasq/${bridge}.status`, JSON.stringify(leases));
    undo.push(() => rm(`/var/lib/libvirt/dnsmasq/${bridge}.status`, { force: true }));
    const full = await doctor('dhcp', '--network', name);
    expect(full.checks[0]).toMatchObject({
      status: 'failed',
      facts: { totalAddresses: 3, freeAddresses: 0 },
    });
  });

  it('sees a rule of the firewall that stops guests of this network', async () => {
    const { name, bridge } = await defineNetwork('198.51.100');
    await virsh('net-start', name);
    expect((await doctor('firewall', '--network', name)).checks[0]?.status).toBe('ok');
    const rule = ['FORWARD', '-i', bridge, '-j', 'DROP'];
    await execa('iptables', ['-w', '-I', ...rule]);
    undo.push(() => execa('iptables', ['-w', '-D', ...rule]));
    const { checks, exitCode } = await doctor('firewall', '--network', name);
    expect([checks[0]?.status, exitCode]).toEqual(['warning', 0]);
    expect(checks[0]?.problems[0]?.found).toContain(`drops what comes from ${bridge}`);
  });

  it('a launch below a closed directory fails, and names the check that explains it', async () => {
    const above = await mkdtemp(join(tmpdir(), 'launch-e2e-above-'));
    undo.push(() => rm(above, { recursive: true, force: true }));
    const home = join(above, 'home');
    await mkdir(home);
    const closed = await createE2eHost({ home });
    undo.push(() => closed.dispose());
    await chmod(above, 0o700);
    const imported = await closed.launch(['image', 'import', tinyImage, '--name', 'tiny']);
    expect(imported.exitCode, imported.stderr).toBe(0);
    const failed = await closed.launch([
      'run',
      'tiny',
      '--virt-type',
      'qemu',
      '--memory',
      '96',
      '--network',
      'none',
      '--wait',
      'running',
    ]);
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr).toContain('Cannot access storage file');
    expect(failed.stderr).toContain('what is wrong with this host:  launch doctor access\n');
    const explained = await closed.launch(['doctor', 'access']);
    expect(explained.exitCode).toBe(1);
    expect(explained.stdout).toContain(`may not pass "${above}"`);
    expect(explained.stderr).toContain('launches cannot work on this host as it is: access');
    await chmod(above, 0o711);
    expect((await closed.launch(['doctor', 'access'])).exitCode).toBe(0);
  });

  it('follows a guest that runs: its chain can be reached, its owner is right, its record has a domain', async () => {
    await host.launch(['image', 'import', tinyImage, '--name', 'tiny']);
    const launched = await host.launch([
      'run',
      'tiny',
      '--virt-type',
      'qemu',
      '--memory',
      '96',
      '--network',
      'none',
      '--wait',
      'running',
    ]);
    expect(launched.exitCode, launched.stderr).toBe(0);
    const [domainName = ''] = await host.domainNames();
    const running = await doctor('access', 'owners', 'leftovers', 'memory');
    expect(running.exitCode).toBe(0);
    expect(running.checks.map(({ id, status }) => [id, status])).toEqual([
      ['access', 'ok'],
      ['owners', 'ok'],
      ['memory', 'ok'],
      ['leftovers', 'ok'],
    ]);
    // libvirt leaves the base with QEMU; it is taken back under the guest, which goes on.
    const fixed = await doctor('owners', '--fix');
    expect(fixed.checks[0]?.problems).toEqual([]);
    expect(await virsh('domstate', domainName)).toContain('running');
    // A domain whose record and disk somebody removed.
    await virsh('destroy', domainName);
    await rm(join(host.home, 'instances', domainName), { recursive: true });
    const lost = await doctor('leftovers');
    expect(lost.checks[0]).toMatchObject({
      status: 'warning',
      facts: { domainsWithoutRecord: [domainName] },
    });
    await doctor('leftovers', '--fix');
    expect(await host.domainNames()).toEqual([]);
  });

  it('ends soon where libvirt hangs, and leaves no process behind', async () => {
    const socket = join(host.home, 'hangs');
    const server = execa(
      'node',
      ['-e', `require('net').createServer(() => {}).listen(${JSON.stringify(socket)})`],
      {
        reject: false,
      },
    );
    undo.push(async () => {
      server.kill('SIGKILL');
      await server;
    });
    await eventually('the socket is there', async () =>
      (await stat(socket).catch(() => undefined))?.isSocket() === true ? true : undefined,
    );
    const uri = `qemu+unix:///system?socket=${socket}`;
    const { exitCode, stdout } = await host.launch(['doctor', '--connect', uri]);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('does not answer');
    expect((await processesNaming(socket)).filter((line) => line.startsWith('virsh'))).toEqual([]);
  });
});
