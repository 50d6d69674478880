import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { eventually } from './e2e-host.js';

/** A real sshd on a port of this host, with keys of its own, that lets the user of these tests in. */
export interface LoopbackSshd {
  readonly port: number;
  readonly user: string;
  /** A private key that it takes. */
  readonly identityFile: string;
  /** A private key that it does not take. */
  readonly strangeKey: string;
  /** What it runs as the login's command from now on, instead of what is asked for; undefined for that. */
  force(command: string | undefined): Promise<void>;
  /** Throws its host key away and takes another, as a guest does that is reinstalled. */
  changeHostKey(): Promise<void>;
  dispose(): Promise<void>;
}

const sshd = '/usr/sbin/sshd';

export async function startLoopbackSshd(directory: string): Promise<LoopbackSshd> {
  await mkdir(directory, { recursive: true });
  // sshd insists on it, and on Debian systemd makes it.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  const path = (name: string) => join(directory, name);
  const makeKey = (name: string) => execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path(name)]);
  await Promise.all([makeKey('host_key'), makeKey('id'), makeKey('strange')]);
  const port = await freePort();
  const publicKey = await readFile(path('id.pub'), 'utf8');
  await writeFile(path('authorized_keys'), publicKey);
  const config = [
    ...[
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      'UsePAM no',
      'StrictModes no',
      'PasswordAuthentication no',
    ],
    ...['KbdInteractiveAuthentication no', 'PidFile none', 'Subsystem sftp internal-sftp'],
    `HostKey ${path('host_key')}`,
    `AuthorizedKeysFile ${path('authorized_keys')}`,
  ];
  await writeFile(path('sshd_config'), `${config.join('\n')}\n`);
  let stop = await run(path('sshd_config'), port);
  return {
    port,
    user: userInfo().username,
    identityFile: path('id'),
    strangeKey: path('strange'),
    force: async (command) => {
      const forced = command === undefined ? '' : `command="${command.replaceAll('"', '\\"')}" `;
      await writeFile(path('authorized_keys'), `${forced}${publicKey}`);
    },
    changeHostKey: async () => {
      await stop();
      await Promise.all([rm(path('host_key')), rm(path('host_key.pub'))]);
      await makeKey('host_key');
      stop = await run(path('sshd_config'), port);
    },
    dispose: () => stop(),
  };
}

async function run(config: string, port: number): Promise<() => Promise<void>> {
  const child = spawn(sshd, ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'exit');
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.on('error', (error) => (said += `${error.message}: install openssh-server`));
  await eventually(`sshd listens, it says ${JSON.stringify(said)}`, () => isListening(port), 20_000);
  return async () => {
    child.kill();
    await ended;
  };
}

async function isListening(port: number): Promise<true | undefined> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(undefined);
    });
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a port has no number');
  return address.port;
}
