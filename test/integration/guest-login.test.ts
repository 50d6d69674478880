import { chmod, lstat, mkdir, readFile, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mkdtemp } from 'node:fs/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { copyFiles, type CopyPlace } from '../../src/instance/login/copy-files.js';
import { execInGuest, type ExecRequest } from '../../src/instance/login/exec-in-guest.js';
import { getInstance } from '../../src/instance/find-instance.js';
import { openGuestLogin } from '../../src/instance/login/guest-login.js';
import { includeSshConfig } from '../../src/instance/login/include-ssh-config.js';
import type { InstanceRecord } from '../../src/instance/instance-record.js';
import { launchInstance } from '../../src/instance/launch-instance.js';
import {
  installSshConfig,
  refreshSshConfig,
  renderSshConfig,
} from '../../src/instance/login/ssh-config-file.js';
import { runSshSession } from '../../src/instance/login/ssh-session.js';
import {
  expectRefusal,
  importTiny,
  noise,
  openIntegrationHost,
  type IntegrationHost,
} from '../support/integration-host.js';
import { startLoopbackSshd, type LoopbackSshd } from '../support/loopback-sshd.js';

// A real sshd and a real ssh; only libvirt is in memory, and the guest is this machine.

let directory: string;
let sshd: LoopbackSshd;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'launch-sshd-'));
  sshd = await startLoopbackSshd(directory);
});
afterAll(async () => {
  await sshd.dispose();
  await rm(directory, { recursive: true, force: true });
});

let host: IntegrationHost;
let instance: InstanceRecord;
/** For the guest's files; elsewhere than its home. */
let room: string;

beforeEach(async () => {
  await sshd.force(undefined);
  host = await openIntegrationHost();
  room = join(host.directory, 'guest');
  await mkdir(room);
  await importTiny(host);
  ({ instance } = await launchInstance(host, {
    ...{
      image: 'tiny',
      flavor: 'm1.tiny',
      virtType: 'qemu',
      name: 'web',
      seed: { kind: 'none' },
      wait: { kind: 'none' },
    },
  }));
  await changeRecord({ user: sshd.user, identityFile: sshd.identityFile });
});

async function changeRecord(login: InstanceRecord['login']): Promise<void> {
  const forwards = [
    { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: sshd.port, guestPort: 22 } as const,
  ];
  instance = {
    ...instance,
    login,
    interfaces: [{ kind: 'user', macAddress: '52:54:00:00:00:01', model: null, forwards }],
  };
  await writeFile(host.home.instance(instance.domainName).record, JSON.stringify(instance));
}

const login = async (options: { readonly user?: string; readonly identityFile?: string } = {}) =>
  await openGuestLogin(host, await getInstance(host, 'web'), {
    ...{ action: 'log in to', batch: true, timeoutMs: 10_000, ...options },
  });

const exec = async (command: ExecRequest['command'], more: Partial<ExecRequest> = {}) =>
  await execInGuest(host, 'web', { command, waitMs: 10_000, ...more });

describe('a login', () => {
  it('passes on the exit code of the command, also 255', async () => {
    for (const exitCode of [0, 7, 255]) {
      expect(await runSshSession(host, await login(), { remote: `exit ${exitCode}` })).toBe(exitCode);
    }
  });

  it('keeps host keys in the instance’s directory, and leaves nothing else there', async () => {
    const { directory: files, knownHosts } = host.home.instance(instance.domainName);
    const before = await readdir(files);
    await runSshSession(host, await login(), { remote: 'true' });
    expect((await readdir(files)).sort()).toEqual([...before, 'known_hosts'].sort());
    expect(await readFile(knownHosts, 'utf8')).toMatch(
      new RegExp(`^launch-${instance.uuid} ssh-ed25519 \\S+\\n$`),
    );
  });

  it('is refused when the host key is another, until the old one is forgotten', async () => {
    await runSshSession(host, await login(), { remote: 'true' });
    await sshd.changeHostKey();
    const error = await expectRefusal(
      runSshSession(host, await login(), { remote: 'true' }),
      'SSH_HOST_KEY_CHANGED',
    );
    expect(error.hint).toContain(`launch ssh --new-host-key ${instance.domainName}`);
    await rm(host.home.instance(instance.domainName).knownHosts);
    expect(await runSshSession(host, await login(), { remote: 'true' })).toBe(0);
  });

  it('that is denied names the key that was offered', async () => {
    const denied = runSshSession(host, await login({ identityFile: sshd.strangeKey }), { remote: 'true' });
    const error = await expectRefusal(denied, 'SSH_DENIED');
    expect(error.message).toContain(`does not let ${sshd.user}@127.0.0.1 in`);
    expect(error.hint).toContain(sshd.strangeKey);
    expect(error.hint).toContain('launch ssh -i FILE');
  });

  it('refuses a key that is not there, and passes over one that is gone', async () => {
    await expectRefusal(login({ identityFile: '/nowhere/id' }), 'ARGUMENT_INVALID');
    await changeRecord({ user: sshd.user, identityFile: '/nowhere/id' });
    expect((await login()).sshArguments).not.toContain('/nowhere/id');
  });

  it('learns from the guest as whom to log in, and remembers it', async () => {
    await changeRecord({ user: null, identityFile: sshd.identityFile });
    await sshd.force(
      'echo \'Please login as the user "debian" rather than the user "root".\'; echo; sleep 10; exit 142',
    );
    const started = performance.now();
    expect((await login()).user).toBe('debian');
    expect(performance.now() - started).toBeLessThan(9000);
    expect((await getInstance(host, 'web')).login.user).toBe('debian');
  });

  it('ends with its connection’s end', async () => {
    const lost = runSshSession(host, await login(), { remote: 'kill -9 $PPID' });
    await expectRefusal(lost, 'SSH_FAILED');
  });

  it.each([
    [
      'is off',
      (uuid: string) => {
        host.hypervisor.setState(uuid, 'shut off');
      },
      'INSTANCE_STATE',
      'launch start',
    ],
    [
      'is paused',
      (uuid: string) => {
        host.hypervisor.setState(uuid, 'paused');
      },
      'INSTANCE_STATE',
      'launch resume',
    ],
    [
      'was undefined',
      (uuid: string) => {
        host.hypervisor.loseDomain(uuid);
      },
      'DOMAIN_NOT_FOUND',
      'launch start',
    ],
  ] as const)('to a guest that %s says so', async (_what, change, code, cure) => {
    change(instance.uuid);
    expect((await expectRefusal(login(), code)).hint).toContain(cure);
  });
});

describe('exec', () => {
  it('through ssh keeps words apart, and both streams and the exit code', async () => {
    const words = ['a b', '$HOME', "it's", '', '*', '`id`', '-n'] as const;
    expect(await exec(['printf', '<%s>', ...words])).toMatchObject({
      ...{ via: 'ssh', exitCode: 0 },
      output: { stdout: Buffer.from(words.map((word) => `<${word}>`).join('')) },
    });
    expect(await exec(['sh', '-c', 'echo out; echo err >&2; exit 255'])).toMatchObject({
      ...{ exitCode: 255, output: { stdout: Buffer.from('out\n'), stderr: Buffer.from('err\n') } },
    });
  });

  it('takes the agent where one answers', async () => {
    const asked: unknown[] = [];
    host.hypervisor.agent = (request) => {
      asked.push(request.execute);
      if (request.execute === 'guest-exec') return { pid: 5 };
      if (request.execute === 'guest-ping') return {};
      return { exited: true, exitcode: 4, 'out-data': Buffer.from('hello\n').toString('base64') };
    };
    expect(await exec(['id'])).toMatchObject({
      ...{ via: 'agent', exitCode: 4, output: { stdout: Buffer.from('hello\n') } },
    });
    expect(asked).toEqual(['guest-ping', 'guest-exec', 'guest-exec-status']);
    expect((await exec(['true'], { via: 'ssh' })).via).toBe('ssh');
  });

  it('says what to do where the agent is asked for and there is none', async () => {
    const error = await expectRefusal(exec(['id'], { via: 'agent' }), 'AGENT_UNAVAILABLE');
    expect(error.hint).toContain('--via ssh');
  });

  it('ends a command that takes too long', async () => {
    await expectRefusal(exec(['sleep', '30'], { timeoutMs: 1500 }), 'COMMAND_TIMEOUT');
  });
});

const here = (path: string): CopyPlace => ({ kind: 'host', path });
const there = (path: string): CopyPlace => ({ kind: 'guest', instance: 'web', path });

describe('cp', () => {
  const copy = async (source: CopyPlace, target: CopyPlace, recursive = false) =>
    await copyFiles(host, { source, target, recursive, batch: true, timeoutMs: 10_000 });

  it('copies a file there and back, byte for byte, under any name', async () => {
    const name = "a b:c'd$e";
    const content = noise(3_000_001);
    await writeFile(join(host.directory, name), content);
    await chmod(join(host.directory, name), 0o755);
    expect(await copy(here(join(host.directory, name)), there(room))).toMatchObject({ bytes: 3_000_001 });
    expect((await readFile(join(room, name))).equals(content)).toBe(true);
    expect((await lstat(join(room, name))).mode & 0o100).toBe(0o100);
    const back = join(host.directory, 'back');
    await copy(there(join(room, name)), here(back));
    expect((await readFile(back)).equals(content)).toBe(true);
    expect((await lstat(back)).mode & 0o100).toBe(0o100);
  });

  it('copies an empty file', async () => {
    await writeFile(join(room, 'empty'), '');
    await copy(there(join(room, 'empty')), here(host.directory));
    expect(await readFile(join(host.directory, 'empty'), 'utf8')).toBe('');
  });

  it('copies a tree with its links, from guest to guest too', async () => {
    const tree = join(host.directory, 'tree');
    await mkdir(join(tree, 'sub dir'), { recursive: true });
    await writeFile(join(tree, 'sub dir', 'x'.repeat(200)), 'long');
    await writeFile(join(tree, 'a:b'), 'colon');
    await symlink('sub dir', join(tree, 'link'));
    await expectRefusal(copy(here(tree), there(room)), 'ARGUMENT_INVALID');
    await copy(here(tree), there(room), true);
    await copy(there(join(room, 'tree')), there(join(room, 'second')), true);
    await copy(there(join(room, 'second')), here(join(host.directory, 'third')), true);
    const third = join(host.directory, 'third');
    expect((await readdir(third)).sort()).toEqual(['a:b', 'link', 'sub dir']);
    expect(await readFile(join(third, 'sub dir', 'x'.repeat(200)), 'utf8')).toBe('long');
    expect(await readlink(join(third, 'link'))).toBe('sub dir');
  });

  it('leaves out links that lead out of a tree, and what is no file', async () => {
    await mkdir(join(room, 'evil'));
    await symlink('/etc', join(room, 'evil', 'etc'));
    await symlink('../../up', join(room, 'evil', 'up'));
    await execa('mkfifo', [join(room, 'evil', 'pipe')]);
    const { leftOut } = await copy(there(join(room, 'evil')), here(host.directory), true);
    expect(leftOut.map((line) => line.split(':')[0]).sort()).toEqual(['etc', 'pipe', 'up']);
    expect(await readdir(join(host.directory, 'evil'))).toEqual([]);
  });

  it.each([
    ['a name that leads up', '--transform=s,^good,../escaped,'],
    ['an absolute name', '--transform=s,^good,/tmp/launch-escaped,'],
  ])('refuses a hostile archive: %s', async (_what, transform) => {
    await mkdir(join(room, 'src'));
    await writeFile(join(room, 'src', 'good'), 'x');
    // The guest's own tar does not do it, but a hostile guest's may.
    await mkdir(join(room, 'bin'));
    const tar = `#!/bin/sh\nexec /bin/tar -P '${transform}' -cf - good\n`;
    await writeFile(join(room, 'bin', 'tar'), tar, { mode: 0o755 });
    await sshd.force(`PATH=${join(room, 'bin')}:$PATH; eval "$SSH_ORIGINAL_COMMAND"`);
    const error = await expectRefusal(
      copy(there(join(room, 'src')), here(join(host.directory, 'out')), true),
      'COPY_FAILED',
    );
    expect(error.message).toContain('leads out');
    expect(await readdir(host.directory)).not.toContain('escaped');
  });

  it('is not led astray by what a profile prints', async () => {
    await writeFile(join(room, 'file'), 'content');
    await sshd.force('echo Welcome; echo; eval "$SSH_ORIGINAL_COMMAND"');
    await copy(there(join(room, 'file')), here(host.directory));
    expect(await readFile(join(host.directory, 'file'), 'utf8')).toBe('content');
  });

  it.each([
    [
      'a file that is not there',
      (): CopyPlace => there(join(room, 'none')),
      () => here(host.directory),
      'no such file',
    ],
    [
      'a directory that is not there',
      () => here('/etc/hostname'),
      () => there(`${room}/none/`),
      'no such directory',
    ],
    [
      'a place that cannot be written',
      () => here('/etc/hostname'),
      () => there('/proc/version/x'),
      'roc/version',
    ],
  ] as const)('tells in the guest’s words of %s', async (_what, source, target, words) => {
    expect((await expectRefusal(copy(source(), target()), 'COPY_FAILED')).message.toLowerCase()).toContain(
      words,
    );
  });

  it('leaves nothing of a file whose copy was cut short', async () => {
    await writeFile(join(room, 'file'), noise(2_000_000));
    await sshd.force('eval "$SSH_ORIGINAL_COMMAND" | head -c 1000000; kill -9 $PPID');
    await expectRefusal(copy(there(join(room, 'file')), here(host.directory)), 'COPY_FAILED', 'SSH_FAILED');
    expect((await readdir(host.directory)).filter((name) => name.includes('file'))).toEqual([]);
  });
});

describe('ssh-config', () => {
  /** What `launch ssh --stdio` does, for a libvirt that is in no other process. */
  async function relayScript(): Promise<string> {
    const script = join(host.directory, 'relay.mjs');
    await writeFile(
      script,
      `import { connect } from 'node:net'; const s = connect(${sshd.port}, '127.0.0.1');` +
        `process.stdin.pipe(s); s.pipe(process.stdout); s.on('close', () => process.exit());`,
    );
    return `${process.execPath} ${script}`;
  }

  it('lets plain ssh, scp and sftp in by the name', async () => {
    const relay = await relayScript();
    const config = join(host.directory, 'ssh_config');
    await writeFile(config, await renderSshConfig(host, { connect: () => relay }));
    for (const name of ['web', instance.domainName]) {
      const { stdout } = await execa('ssh', ['-F', config, '-o', 'BatchMode=yes', name, 'echo in']);
      expect(stdout).toBe('in');
    }
    await writeFile(join(host.directory, 'a b'), 'by scp');
    await execa('scp', ['-F', config, '-B', '-q', join(host.directory, 'a b'), `web:${room}/`]);
    expect(await readFile(join(room, 'a b'), 'utf8')).toBe('by scp');
    await execa('sftp', ['-F', config, '-b', '-', 'web'], { input: `rename "${room}/a b" "${room}/c"\n` });
    expect(await readdir(room)).toEqual(['c']);
    expect(await readFile(host.home.instance(instance.domainName).knownHosts, 'utf8')).toContain('launch-');
  });

  it('is installed with a script that finds the guest, and follows instances that come and go', async () => {
    const { config, connect } = await installSshConfig(host, ['/usr/bin/node', '/opt/my launch/main.js']);
    expect(await readFile(config, 'utf8')).toContain(`ProxyCommand ${connect} ${instance.uuid}`);
    expect((await lstat(connect)).mode & 0o777).toBe(0o755);
    expect(await readFile(connect, 'utf8')).toContain("/usr/bin/node '/opt/my launch/main.js' --home ");
    await rm(host.home.instance(instance.domainName).directory, { recursive: true });
    await refreshSshConfig(host);
    expect(await readFile(config, 'utf8')).not.toContain('Host ');
  });

  it('is not written where nobody installed it', async () => {
    await refreshSshConfig(host);
    expect(await readdir(host.home.root)).not.toContain('ssh');
  });

  it('is included at the top of a configuration that keeps its mode and its link', async () => {
    const real = join(host.directory, 'dotfiles-config');
    await writeFile(real, 'Host mine\n  User me\n', { mode: 0o640 });
    await mkdir(join(host.directory, '.ssh'));
    const path = join(host.directory, '.ssh', 'config');
    await symlink(real, path);
    await includeSshConfig(path, '/srv/ssh/config');
    expect(await readFile(real, 'utf8')).toBe('Include /srv/ssh/config\n\nHost mine\n  User me\n');
    expect((await lstat(real)).mode & 0o777).toBe(0o640);
    expect((await lstat(path)).isSymbolicLink()).toBe(true);
  });
});
