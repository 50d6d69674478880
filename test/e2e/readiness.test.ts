import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  makeDiskThatHangs,
  makeDiskWithoutBootLoader,
  makeTinyThatPanics,
  makeTinyWithoutKernel,
} from '../support/broken-images.js';
import {
  createE2eHost,
  eventually,
  requireTinyImage,
  tinyImage,
  typeAtConsole,
  virsh,
  type E2eHost,
} from '../support/e2e-host.js';

interface Ready {
  readonly domainName: string;
  readonly uuid: string;
  readonly stages: readonly { readonly stage: string; readonly atSeconds: number | null }[];
  readonly addresses: readonly { readonly address: string; readonly source: string }[];
  readonly loginUser?: string;
}

interface Failure {
  readonly exitCode: number;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly details: { readonly cause: string; readonly lastStage: string };
}

let host: E2eHost;
let directory: string;

beforeAll(async () => {
  await requireTinyImage();
  host = await createE2eHost();
  directory = await mkdtemp(join(tmpdir(), 'launch-ready-'));
  await host.launchJson(['image', 'import', tinyImage, '--name', 'tiny']);
});

afterAll(async () => {
  await host.dispose();
  await rm(directory, { recursive: true, force: true });
});

const common = ['--disk', '0', '--memory', '192', '--virt-type', 'qemu'];

/** Runs `launch` and gives the error that it must end with. */
async function fail(args: readonly string[]): Promise<Failure> {
  const { exitCode, stderr, stdout } = await host.launch([...args, '--quiet', '--format', 'json']);
  const line = stderr.split('\n').find((text) => text.startsWith('{"error"'));
  if (line === undefined) throw new Error(`launch ${args.join(' ')} did not fail: ${stdout}${stderr}`);
  const { error } = JSON.parse(line) as { error: Omit<Failure, 'exitCode'> };
  return { ...error, exitCode };
}

describe('a guest on its way', () => {
  let guest: Ready;
  const type = async (line: string, expected: RegExp) => {
    await typeAtConsole(host, 'way', line, expected);
  };

  beforeAll(async () => {
    guest = (await host.launchJson([
      ...['tiny', '--name', 'way', ...common, '--wait', 'ssh', '--timeout', '8m'],
    ])) as Ready;
  });

  it('passed every stage, each later than the one before, and let us in', () => {
    expect(guest.stages.map(({ stage }) => stage)).toEqual([
      ...['started', 'firmware', 'boot loader', 'kernel', 'network', 'ssh'],
    ]);
    const seconds = guest.stages.map(({ atSeconds }) => atSeconds ?? -1);
    expect(seconds).toEqual(seconds.toSorted((a, b) => a - b));
    expect(seconds[0]).toBe(0);
    expect(guest.loginUser).toBe('root');
  });

  it('has the address that libvirt leased, and the guest itself says', async () => {
    const [address] = guest.addresses;
    expect(address?.source).toBe('lease');
    // Its ssh server may be up a little before it says so.
    await eventually('the guest says its address', async () => {
      const { stdout } = await host.launch(['log', 'way']);
      return stdout.includes(`tiny: eth0 ${address?.address ?? ''}/`) ? true : undefined;
    });
  });

  it('is ready at once for whoever waits later, who cannot know when it got there', async () => {
    const [again] = (await host.launchJson(['wait', 'way', '--timeout', '60s'])) as Ready[];
    expect(again).toMatchObject({ domainName: guest.domainName, loginUser: 'root' });
    expect(again?.stages.filter(({ atSeconds }) => atSeconds === null).map(({ stage }) => stage)).toContain(
      'kernel',
    );
  });

  it('whose keys are gone refuses ours: the autopsy says so', async () => {
    await type("rm /root/.ssh/authorized_keys; echo keys''-gone", /keys-gone/);
    const failure = await fail(['wait', 'way', '--timeout', '15s']);
    expect(failure).toMatchObject({
      exitCode: 1,
      code: 'WAIT_TIMEOUT',
      details: { cause: 'ssh-key-refused', lastStage: 'ssh' },
    });
    expect(failure.hint).toMatch(/login as root: .*Permission denied \(publickey\)/);
  });

  it('whose sshd is off refuses the connection: the autopsy says so', async () => {
    await type("killall dropbear; echo sshd''-off", /sshd-off/);
    const failure = await fail(['wait', 'way', '--timeout', '10s']);
    expect(failure).toMatchObject({ code: 'WAIT_TIMEOUT', details: { cause: 'ssh-off' } });
    expect(failure.hint).toContain('connection refused');
  });

  it('that is paused meanwhile is told so, and one that is paused already is refused', async () => {
    const waiting = fail(['wait', 'way', '--for', 'console=never', '--timeout', '12s']);
    // Paused while it is waited for.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await virsh('suspend', guest.domainName);
    expect(await waiting).toMatchObject({ code: 'WAIT_TIMEOUT', details: { cause: 'guest-paused' } });
    expect(await fail(['wait', 'way'])).toMatchObject({
      code: 'INSTANCE_STATE',
      hint: `launch resume ${guest.domainName}`,
    });
    await virsh('resume', guest.domainName);
  });

  it('that powers itself off ends the wait', async () => {
    const waiting = fail(['wait', 'way', '--for', 'console=never', '--timeout', '5m']);
    await type('poweroff', /tiny: stopping/);
    expect(await waiting).toMatchObject({
      exitCode: 1,
      code: 'INSTANCE_STATE',
      details: { cause: 'guest-off' },
    });
    await eventually('the guest is off', async () =>
      (await virsh('domstate', guest.domainName)).trim() === 'shut off' ? true : undefined,
    );
    expect(await fail(['wait', 'way'])).toMatchObject({
      code: 'INSTANCE_STATE',
      hint: `launch start ${guest.domainName}`,
    });
  });

  it('that is undefined behind our back is no guest to wait for', async () => {
    await virsh('undefine', guest.domainName);
    expect(await fail(['wait', 'way'])).toMatchObject({ code: 'DOMAIN_NOT_FOUND' });
    await host.launch(['delete', 'way']);
  });
});

describe('guests that do not come', () => {
  const networkName = `rdy${Math.random().toString(36).slice(2, 8)}`;

  const importDisk = async (path: string, name: string) => {
    await host.launchJson(['image', 'import', path, '--name', name]);
  };

  it('without a boot loader: known as soon as the firmware says so', async () => {
    await importDisk(await makeDiskWithoutBootLoader(directory), 'blank');
    const failure = await fail(['blank', ...common, '--wait', 'ssh', '--timeout', '5m']);
    expect(failure).toMatchObject({
      exitCode: 1,
      code: 'GUEST_FAILED',
      details: { cause: 'no-bootable-device', lastStage: 'firmware' },
    });
    expect(failure.hint).toContain('No bootable device.');
    expect(failure.hint).toContain('it is left running');
  });

  it('with boot code that hangs, and with a console that is mute', async () => {
    await importDisk(await makeDiskThatHangs(directory), 'hangs');
    const template = join(directory, 'mute.xml');
    const linux = await readFile(new URL('../../templates/linux.xml', import.meta.url), 'utf8');
    await writeFile(template, linux.replace('<bios useserial="yes"/>', ''));
    const [hangs, mute] = await Promise.all([
      fail(['hangs', ...common, '--wait', 'address', '--timeout', '25s', '--rollback']),
      fail([
        'hangs',
        ...common,
        '--template',
        template,
        '--wait',
        'address',
        '--timeout',
        '15s',
        '--rollback',
      ]),
    ]);
    expect(hangs).toMatchObject({
      code: 'WAIT_TIMEOUT',
      details: { cause: 'boot-code-silent', lastStage: 'firmware' },
    });
    expect(mute).toMatchObject({
      code: 'WAIT_TIMEOUT',
      details: { cause: 'console-silent', lastStage: 'started' },
    });
    expect(hangs.hint).toContain('the launch was undone');
  });

  it('without a kernel: the boot loader waits for somebody', async () => {
    await importDisk(await makeTinyWithoutKernel(directory), 'no-kernel');
    const failure = await fail([
      'no-kernel',
      ...common,
      '--wait',
      'address',
      '--timeout',
      '5m',
      '--rollback',
    ]);
    expect(failure).toMatchObject({
      code: 'GUEST_FAILED',
      details: { cause: 'boot-loader-failed', lastStage: 'boot loader' },
    });
  });

  it('with a kernel that panics: known before it has panicked for ever', async () => {
    await importDisk(await makeTinyThatPanics(directory), 'panics');
    const failure = await fail(['panics', ...common, '--wait', 'address', '--timeout', '8m', '--rollback']);
    expect(failure).toMatchObject({
      code: 'GUEST_FAILED',
      details: { cause: 'kernel-panic', lastStage: 'kernel' },
    });
    expect(failure.hint).toContain('root file system');
    // All that is left of those that were rolled back are the guests of the tests before.
    expect(await host.domainNames()).toHaveLength(1);
  });

  it('on a network without DHCP: told apart from a server that is gone', async () => {
    const subnet = 100 + Math.floor(Math.random() * 100);
    const xml = `<network><name>${networkName}</name><bridge name="${networkName}"/><ip address="10.213.${subnet}.1" netmask="255.255.255.0"/></network>`;
    const document = join(directory, 'network.xml');
    await writeFile(document, xml);
    await virsh('net-define', document);
    try {
      await virsh('net-start', networkName);
      await host.launchJson([
        ...['tiny', '--name', 'lost', ...common, '--network', networkName],
        ...['--wait', 'console=^tiny ready', '--timeout', '8m'],
      ]);
      const failure = await fail(['wait', 'lost', '--for', 'address', '--timeout', '4s']);
      expect(failure).toMatchObject({
        code: 'WAIT_TIMEOUT',
        details: { cause: 'no-dhcp-server', lastStage: 'kernel' },
      });
      expect(failure.hint).toMatch(
        /leases of network "\w+" \(it has no DHCP\): none for 52:54:00:.*DHCP asked \d+ times/,
      );
    } finally {
      await host.launch(['delete', 'lost']);
      await execa('virsh', ['-q', 'net-destroy', networkName], { reject: false });
      await execa('virsh', ['-q', 'net-undefine', networkName], { reject: false });
    }
  });
});
