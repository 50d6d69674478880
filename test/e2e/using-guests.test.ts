import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import {
  createE2eHost,
  eventually,
  processesNaming,
  requireTinyImage,
  tinyImage,
  typeAtConsole,
  virsh,
  type E2eHost,
} from '../support/e2e-host.js';

interface Launched {
  readonly domainName: string;
  readonly uuid: string;
}

/** Where other guests are emulated beside ours. */
const slowly = 5 * 60_000;

describe('a guest that people work in', () => {
  let host: E2eHost;
  let guest: Launched;
  let key: string;

  const launch = async (wait: string) =>
    (await host.launchJson([
      ...['tiny', '--flavor', 'm1.tiny', '--memory', '128', '--name', 'web', '--virt-type', 'qemu'],
      ...['--key', `${key}.pub`, '--wait', wait, '--timeout', '9m'],
    ])) as Launched;

  beforeAll(async () => {
    await requireTinyImage();
    host = await createE2eHost();
    key = join(host.home, 'test-key');
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    await host.launchJson(['image', 'import', tinyImage, '--name', 'tiny']);
    guest = await launch('running');
  });
  afterAll(() => host.dispose());

  it('lets in while it is still booting: the login waits for it', async () => {
    const outcome = await host.launch(['ssh', '--connect-timeout', '9m', 'web', '--', 'echo in; exit 7']);
    expect([outcome.exitCode, outcome.stdout]).toEqual([7, 'in\n']);
  });

  it('keeps words apart, and gives one word to the shell', async () => {
    expect((await host.launch(['ssh', 'web', '--', 'printf', '<%s>', 'a b', '$HOME'])).stdout).toBe(
      '<a b><$HOME>',
    );
    expect((await host.launch(['ssh', 'web', 'echo $((1 + 1))'])).stdout).toBe('2\n');
    expect((await host.launch(['exec', 'web', '--', 'printf', '<%s>', '$HOME'])).stdout).toBe('<$HOME>');
  });

  it('runs a program with both streams, standard input and the exit code apart', async () => {
    const outcome = await host.launch(['exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3']);
    expect(outcome).toEqual({ exitCode: 3, stdout: 'out\n', stderr: 'err\n' });
    const piped = await host.launch(['exec', '--stdin', 'web', 'wc', '-c'], { input: Buffer.from('12345') });
    expect(piped.stdout.trim()).toBe('5');
    const noAgent = await host.launch(['exec', '--via', 'agent', 'web', '--', 'id']);
    expect(noAgent.exitCode).toBe(255);
    expect(noAgent.stderr).toContain('no guest agent runs in the guest');
  });

  it('takes files and gives them back, byte for byte', async () => {
    const content = randomBytes(2_000_003);
    const sent = join(host.home, 'a b:c');
    await writeFile(sent, content);
    expect((await host.launch(['cp', sent, 'web:/tmp/'])).exitCode).toBe(0);
    const { stdout } = await host.launch(['ssh', 'web', '--', 'sha256sum', '/tmp/a b:c']);
    expect(stdout).toContain(createHash('sha256').update(content).digest('hex'));
    await mkdir(join(host.home, 'back'));
    await host.launch(['cp', 'web:/tmp/a b:c', join(host.home, 'back')]);
    expect((await readFile(join(host.home, 'back', 'a b:c'))).equals(content)).toBe(true);
    await host.launch(['cp', '-r', join(host.home, 'back'), 'web:/tmp/tree']);
    await host.launch(['cp', '-r', 'web:/tmp/tree', join(host.home, 'again')]);
    expect((await readFile(join(host.home, 'again', 'a b:c'))).equals(content)).toBe(true);
  });

  it('is found by plain ssh, which keeps its host key in the home', async () => {
    const installed = await host.launch(['ssh-config', '--install']);
    expect(installed.exitCode).toBe(0);
    const config = installed.stdout.trim();
    for (const name of ['web', guest.domainName]) {
      const { stdout } = await execa('ssh', ['-F', config, '-o', 'BatchMode=yes', name, 'hostname']);
      expect(stdout).toBe('web');
    }
    const known = await readFile(join(host.home, 'instances', guest.domainName, 'known_hosts'), 'utf8');
    expect(known).toMatch(new RegExp(`^launch-${guest.uuid} `));
  });

  it('shows its screen’s address', async () => {
    const { stdout } = await host.launch(['vnc', 'web']);
    const display = (await virsh('vncdisplay', guest.domainName)).trim().split(':').at(-1);
    expect(stdout).toBe(`vnc://127.0.0.1:${5900 + Number(display)}\n`);
  });

  it('has a console to sit down at, and its log is followed until it is deleted', async () => {
    const following = host.spawn(['log', '-f', 'web']);
    // A test that fails half way leaves no reader behind.
    onTestFinished(() => {
      following.kill();
    });
    let seen = '';
    following.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    await typeAtConsole(host, 'web', "echo spoken''-here", /spoken-here/);
    await eventually('the log has it', async () => (seen.includes('spoken-here') ? true : undefined), slowly);
    // Off and on again: the same reader goes on.
    const starts = () => seen.split('SeaBIOS').length;
    const before = starts();
    await host.launch(['stop', 'web', '--force']);
    await host.launch(['start', 'web']);
    await eventually(
      'the log has the next start',
      async () => (starts() > before ? true : undefined),
      slowly,
    );

    const paused = await host.launch(['pause', 'web']);
    expect(paused.exitCode).toBe(0);
    for (const command of [
      ['ssh', 'web', 'id'],
      ['exec', 'web', 'id'],
      ['cp', tinyImage, 'web:'],
    ]) {
      const { exitCode, stderr } = await host.launch(command);
      expect([command[0], exitCode === 0]).toEqual([command[0], false]);
      expect(stderr).toContain('it is paused');
      expect(stderr).toContain(`launch resume ${guest.domainName}`);
    }
    expect((await host.launch(['vnc', 'web'])).exitCode).toBe(0);

    await host.launch(['stop', 'web', '--force']);
    for (const command of [
      ['ssh', 'web'],
      ['exec', 'web', 'id'],
      ['cp', tinyImage, 'web:'],
      ['vnc', 'web'],
      ['console', 'web'],
    ]) {
      const { stderr } = await host.launch(command);
      expect(stderr).toContain('it is shut off');
      expect(stderr).toContain(`launch start ${guest.domainName}`);
    }
    expect((await host.launch(['log', 'web', '-n', '1'])).exitCode).toBe(0);

    await virsh('undefine', guest.domainName);
    for (const command of [
      ['ssh', 'web'],
      ['exec', 'web', 'id'],
      ['cp', tinyImage, 'web:'],
      ['vnc', 'web'],
      ['console', 'web'],
    ]) {
      expect((await host.launch(command)).stderr).toContain('libvirt has no domain for it any more');
    }

    expect((await host.launch(['delete', 'web'])).exitCode).toBe(0);
    const ended = await following;
    expect(ended.exitCode).toBe(0);
    expect(ended.stderr).toContain(`${guest.domainName} is deleted`);
    expect(await readFile(join(host.home, 'ssh', 'config'), 'utf8')).not.toContain('Host web');
  });

  it('is rebuilt under its name, and its new host key scares nobody', async () => {
    guest = await launch('ssh');
    const config = join(host.home, 'ssh', 'config');
    const { stdout, stderr } = await execa('ssh', ['-F', config, '-o', 'BatchMode=yes', 'web', 'hostname']);
    expect(stdout).toBe('web');
    expect(stderr).not.toContain('CHANGED');
    // The same guest with another key is another matter.
    const known = join(host.home, 'instances', guest.domainName, 'known_hosts');
    const [, , ownKey = ''] = (await readFile(known, 'utf8')).split(' ');
    const { stdout: other } = await execa('ssh-keygen', ['-y', '-f', key]);
    await writeFile(known, (await readFile(known, 'utf8')).replace(ownKey.trim(), other.split(' ')[1] ?? ''));
    const refused = await host.launch(['ssh', 'web', 'true']);
    expect(refused.exitCode).toBe(255);
    expect(refused.stderr).toContain('its host key is not the one that it had before');
    expect((await host.launch(['ssh', '--new-host-key', 'web', 'true'])).exitCode).toBe(0);
  });

  it('leaves no process and no file behind', async () => {
    await host.launch(['delete', 'web']);
    expect(
      await readdir(join(host.home, 'locks')).then((names) =>
        names.filter((name) => !name.startsWith('image-')),
      ),
    ).toEqual([]);
    expect(await processesNaming(host.home)).toEqual([]);
    await rm(join(host.home, 'ssh'), { recursive: true });
  });
});
