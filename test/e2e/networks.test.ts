import { randomBytes } from 'node:crypto';
import { chmod, copyFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseNetwork } from '../../src/domain/parse-network.js';
import {
  createE2eHost,
  eventually,
  requireTinyImage,
  tinyImage,
  virsh,
  type E2eHost,
} from '../support/e2e-host.js';

interface Launched {
  readonly domainName: string;
  readonly uuid: string;
  readonly interfaces: readonly {
    readonly kind: string;
    readonly macAddress: string;
    readonly forwards?: readonly { readonly hostPort: number; readonly guestPort: number }[];
  }[];
}

const emulated = ['tiny', '--flavor', 'm1.tiny', '--memory', '128', '--virt-type', 'qemu'];
const untilReady = ['--wait', 'console=^tiny ready', '--timeout', '8m'];

/** A network of the test's own, on a subnet that nobody else is likely to have. */
async function defineNetwork(directory: string) {
  const name = `e2e${randomBytes(3).toString('hex')}`;
  const [second = 0, third = 0] = randomBytes(2);
  const subnet = `10.${130 + (second % 100)}.${third}`;
  const file = join(directory, `${name}.xml`);
  await writeFile(
    file,
    `<network><name>${name}</name><bridge name="${name}"/><ip address="${subnet}.1" netmask="255.255.255.0">
     <dhcp><range start="${subnet}.100" end="${subnet}.200"/></dhcp></ip></network>`,
  );
  await virsh('net-define', file);
  return {
    name,
    subnet,
    entries: async () => {
      const xmls = [await virsh('net-dumpxml', name), await virsh('net-dumpxml', name, '--inactive')];
      return xmls.map((xml) => (parseNetwork(xml).dhcp?.hosts ?? []).map(({ address }) => address));
    },
    remove: async () => {
      await execa('virsh', ['-q', 'net-destroy', name], { reject: false });
      await execa('virsh', ['-q', 'net-undefine', name], { reject: false });
    },
  };
}

/** What a server says first. */
async function readBanner(port: number): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: 5000 });
    socket.once('data', (data: Buffer) => {
      resolve(data.toString());
      socket.destroy();
    });
    for (const event of ['error', 'timeout', 'close']) {
      socket.once(event, () => {
        socket.destroy();
        resolve(undefined);
      });
    }
  });
}

describe('networks', () => {
  let host: E2eHost;
  let network: Awaited<ReturnType<typeof defineNetwork>>;

  beforeAll(async () => {
    await requireTinyImage();
    host = await createE2eHost();
    network = await defineNetwork(host.home);
    await host.launchJson(['image', 'import', tinyImage, '--name', 'tiny']);
  });
  afterAll(async () => {
    await host.dispose();
    await network.remove();
  });

  it('one guest on two networks, a bridge, and behind user networking with a published port', async () => {
    const address = `${network.subnet}.50`;
    const guest = (await host.launchJson([
      ...[...emulated, '--name', 'many', '--network', `${network.name},ip=${address}`],
      ...['--network', 'default', '--network', `bridge=${network.name}`, '--network', 'user'],
      ...['--publish', '0:80', ...untilReady],
    ])) as Launched;
    const log = (await host.launch(['log', 'many'])).stdout;
    // In their order: eth0 is the first.
    expect(log).toContain(`tiny: eth0 ${address}/24`);
    expect(log).toMatch(/tiny: eth1 192\.168\.\d+\.\d+\/24/);
    // The bridge is that of the first network, so its DHCP server answers there too.
    expect(log).toContain(`tiny: eth2 ${network.subnet}.`);
    expect(log).toContain('tiny: eth3 10.0.5.15/24');
    expect(await network.entries()).toEqual([[address], [address]]);
    const { stdout } = await host.launch(['list']);
    expect(stdout).toContain(`${network.name}=${address}, default=192.168.`);
    const forwards = guest.interfaces[3]?.forwards ?? [];
    expect(forwards.map(({ guestPort }) => guestPort)).toEqual([22, 80]);
    const ssh = forwards[0]?.hostPort ?? 0;
    expect(stdout).toContain(`user=127.0.0.1:${ssh}`);
    expect(await eventually('a banner', () => readBanner(ssh))).toMatch(/^SSH-2\.0-/);
    const elsewhere = await host.launch([...emulated, '--network', `${network.name},ip=${address}`]);
    expect(elsewhere.exitCode).toBe(1);
    expect(elsewhere.stderr).toContain(`it is kept for ${guest.domainName}`);
  });

  it('the port is there again after a restart, also one by virsh, and an error names it when it is taken', async () => {
    const shown = (await host.launchJson(['show', 'many'])) as Launched;
    const port = shown.interfaces[3]?.forwards?.[0]?.hostPort ?? 0;
    await host.launch(['stop', 'many', '--force']);
    await virsh('start', shown.domainName);
    // QEMU listens before the guest does.
    expect((await execa('ss', ['-ltn', `sport = :${port}`])).stdout).toContain(`127.0.0.1:${port}`);
    await host.launch(['stop', 'many', '--force']);
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen({ host: '127.0.0.1', port }, resolve));
    try {
      const refused = await host.launch(['start', 'many']);
      expect(refused.exitCode).toBe(1);
      expect(refused.stderr).toContain(
        `the port 127.0.0.1:${port}/tcp of this host is taken by another process`,
      );
      // Where somebody slips in after our own look, it is QEMU that says so; here without our look.
      await expect(virsh('start', shown.domainName)).rejects.toThrow(/Could not set up host forwarding rule/);
    } finally {
      await new Promise((resolve) => listener.close(resolve));
    }
  });

  it('the address is taken back on delete', async () => {
    expect((await host.launch(['delete', 'many'])).exitCode).toBe(0);
    expect(await network.entries()).toEqual([[], []]);
  });

  it('the address is taken back when a launch is interrupted, and when one is killed', async () => {
    const args = [...emulated, '--network', `${network.name},ip=${network.subnet}.60`];
    const waiting = [...args, '--wait', 'console=never printed'];
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const run = host.spawn(waiting);
      await eventually('the entry is there', async () =>
        (await network.entries())[0]?.length === 1 ? true : undefined,
      );
      run.kill(signal);
      await run;
      if (signal === 'SIGKILL') await host.launch(['delete', '--all', '--yes']);
      expect(await network.entries(), signal).toEqual([[], []]);
    }
    expect(await host.domainNames()).toEqual([]);
  });

  it('four launches at once with user networking have four ports', async () => {
    const runs = await Promise.all(
      [1, 2, 3, 4].map(() => host.spawn([...emulated, '--network', 'user', '--format', 'json'])),
    );
    for (const run of runs) expect(run.exitCode, run.stderr).toBe(0);
    const guests = runs.map((run) => JSON.parse(run.stdout) as Launched);
    const ports = guests.map((guest) => guest.interfaces[0]?.forwards?.[0]?.hostPort);
    expect(new Set(ports).size).toBe(4);
    await host.launch(['delete', '--all', '--yes']);
  });
});

describe('an ordinary user, on a libvirt of his own', () => {
  const user = `e2e${randomBytes(4).toString('hex')}`;
  const project = fileURLToPath(new URL('../..', import.meta.url));
  let directory: string;

  beforeAll(async () => {
    await requireTinyImage();
    // Short: libvirt keeps the agent's socket below the user's home, in a path of at most 107 bytes.
    directory = await mkdtemp(join(tmpdir(), 'u'));
    await chmod(directory, 0o755);
    await copyFile(tinyImage, join(directory, 'tiny.qcow2'));
    await execa('useradd', ['--create-home', '--home-dir', join(directory, 'home'), user]);
  });
  afterAll(async () => {
    const { stdout } = await execa('id', ['-u', user]);
    await launch('delete', '--all', '--yes');
    await virshAs('list');
    // libvirt's daemons of a session stay for two minutes after the last command.
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const owner = await stat(`/proc/${pid}`).catch(() => undefined);
      if (owner?.uid === Number(stdout)) process.kill(Number(pid), 'SIGTERM');
    }
    await eventually('all processes of the user are gone', async () =>
      (await execa('ps', ['-u', user], { reject: false })).exitCode === 1 ? true : undefined,
    );
    await execa('userdel', [user]);
    await rm(directory, { recursive: true, force: true });
  });

  const asUser = async (...command: readonly string[]) =>
    await execa('runuser', ['-u', user, '--', ...command], {
      reject: false,
      cwd: directory,
      extendEnv: false,
      env: {
        HOME: join(directory, 'home'),
        PATH: process.env['PATH'] ?? '',
        LIBVIRT_DEFAULT_URI: 'qemu:///session',
        NO_COLOR: '1',
      },
    });
  const launch = async (...args: readonly string[]) =>
    await asUser(process.execPath, join(project, 'dist', 'main.cjs'), ...args);
  const virshAs = async (...args: readonly string[]) => await asUser('virsh', '-q', ...args);

  it('launches a guest that he reaches by ssh, without a word about networks', async () => {
    expect((await launch('image', 'import', join(directory, 'tiny.qcow2'), '--name', 'tiny')).exitCode).toBe(
      0,
    );
    const launched = await launch(...emulated, '--name', 'mine', ...untilReady, '--format', 'json');
    expect(launched.exitCode, launched.stderr).toBe(0);
    const guest = JSON.parse(launched.stdout) as Launched;
    expect(guest.interfaces.map(({ kind }) => kind)).toEqual(['user']);
    const port = guest.interfaces[0]?.forwards?.[0]?.hostPort ?? 0;
    expect(await eventually('a banner', () => readBanner(port))).toMatch(/^SSH-2\.0-/);
    expect((await launch('list')).stdout).toContain(`user=127.0.0.1:${port}`);
    // By his own libvirt, and not by the host's.
    expect((await virshAs('list', '--name')).stdout.trim()).toBe(guest.domainName);
    expect(await virsh('list', '--all', '--uuid')).not.toContain(guest.uuid);
    const home = join(directory, 'home', '.local', 'share', 'launch');
    expect(await readFile(join(home, 'instances', guest.domainName, 'console.log'), 'utf8')).toContain(
      'tiny ready',
    );
  });

  it('is told what his libvirt has not', async () => {
    const network = await launch(...emulated, '--network', 'default');
    expect(network.exitCode).toBe(1);
    expect(network.stderr).toContain('--network user');
  });
});
