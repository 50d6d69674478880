import { chmod, mkdtemp, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const projectRoot = fileURLToPath(new URL('../..', import.meta.url));
const binary = join(projectRoot, 'dist', 'main.cjs');

/** The small guest that scripts/build-guest-image makes; scripts/test makes it first. */
export const tinyImage = join(projectRoot, '.cache', 'guest-image', 'tiny.qcow2');

interface CommandOutcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A home and a prefix of names of a test's own, on the real libvirtd, with the built binary. */
export interface E2eHost {
  readonly home: string;
  /** Domains are called `<prefix>-%08x`. */
  readonly prefix: string;
  readonly environment: Record<string, string>;
  /** Runs `launch` to its end, whatever its exit code. */
  launch(args: readonly string[], options?: { readonly input?: Buffer }): Promise<CommandOutcome>;
  /** Runs `launch … --format json` and gives back what it printed; throws when it fails. */
  launchJson(args: readonly string[]): Promise<unknown>;
  /** Starts `launch` and leaves it running. */
  spawn(args: readonly string[], environment?: Record<string, string>): ReturnType<typeof spawnLaunch>;
  /** Names of libvirt's domains with our prefix. */
  domainNames(): Promise<readonly string[]>;
  /** Removes everything, whatever state it is in. */
  dispose(): Promise<void>;
}

export async function createE2eHost(options: { readonly home?: string } = {}): Promise<E2eHost> {
  await requireFile(binary, 'npm run build');
  const home = options.home ?? (await mkdtemp(join(tmpdir(), 'launch-e2e-')));
  // QEMU runs as a user of its own.
  await chmod(home, 0o755);
  const prefix = `e2e${Math.random().toString(36).slice(2, 8)}`;
  // No keys of whoever runs the tests: the home gets its own.
  const nobody = { HOME: home, SSH_AUTH_SOCK: '' };
  const environment = {
    ...{ LAUNCH_HOME: home, LAUNCH_INSTANCE_NAME_TEMPLATE: `${prefix}-%08x`, NO_COLOR: '1', ...nobody },
  };
  const spawn = (args: readonly string[], more: Record<string, string> = {}) =>
    spawnLaunch(args, { ...environment, ...more });
  const host: E2eHost = {
    home,
    prefix,
    environment,
    spawn,
    launch: async (args, { input } = {}) => {
      const result = await execa(process.execPath, [binary, ...args], {
        reject: false,
        env: environment,
        stripFinalNewline: false,
        ...(input === undefined ? { stdin: 'ignore' } : { input }),
      });
      return { exitCode: result.exitCode ?? -1, stdout: result.stdout, stderr: result.stderr };
    },
    launchJson: async (args) => {
      const result = await host.launch([...args, '--format', 'json']);
      if (result.exitCode !== 0) throw new Error(`launch ${args.join(' ')} failed:\n${result.stderr}`);
      return JSON.parse(result.stdout) as unknown;
    },
    domainNames: async () => {
      const names = (await virsh('list', '--all', '--name')).split('\n');
      return names.filter((name) => name.startsWith(`${prefix}-`)).sort();
    },
    dispose: async () => {
      for (const name of await host.domainNames()) {
        await execa('virsh', ['-c', 'qemu:///system', 'destroy', name], { reject: false });
        await execa('virsh', ['-c', 'qemu:///system', 'undefine', name], { reject: false });
      }
      await rm(home, { recursive: true, force: true });
    },
  };
  return host;
}

function spawnLaunch(args: readonly string[], environment: Record<string, string>) {
  return execa(process.execPath, [binary, ...args], { reject: false, env: environment, stdin: 'ignore' });
}

/** Sits down at a guest's console with `launch console`, types a line when the shell is there, and leaves. */
export async function typeAtConsole(
  host: E2eHost,
  name: string,
  line: string,
  expected: RegExp,
): Promise<void> {
  // script gives the command a terminal.
  const session = execa('script', ['-qefc', `${process.execPath} ${binary} console ${name}`, '/dev/null'], {
    env: host.environment,
    stdin: 'pipe',
    reject: false,
    timeout: 120_000,
  });
  let seen = '';
  session.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString()));
  const see = async (pattern: RegExp, from: number) =>
    await eventually(
      `the console shows ${String(pattern)}, it shows ${JSON.stringify(seen.slice(-300))}`,
      async () => (pattern.test(seen.slice(from)) ? true : undefined),
    );
  await see(/Escape character is/, 0);
  session.stdin.write('\r');
  await see(/# /, 0);
  const start = seen.length;
  session.stdin.write(`${line}\r`);
  await see(expected, start);
  session.stdin.write('\u001d');
  const result = await session;
  if (result.exitCode !== 0) throw new Error(`launch console ended with ${String(result.exitCode)}: ${seen}`);
}

/** virsh's answer; throws when it fails. */
export async function virsh(...args: readonly string[]): Promise<string> {
  return (await execa('virsh', ['-q', '-c', 'qemu:///system', ...args])).stdout;
}

export async function requireTinyImage(): Promise<void> {
  await requireFile(tinyImage, 'scripts/build-guest-image .cache/guest-image/tiny.qcow2');
}

async function requireFile(path: string, command: string): Promise<void> {
  await stat(path).catch(() => {
    throw new Error(`"${path}" is missing; scripts/test makes it, or by hand: ${command}`);
  });
}

/** Every path below a directory, relative, sorted. */
export async function listTree(directory: string): Promise<readonly string[]> {
  return (await readdir(directory, { recursive: true })).sort();
}

/** Command lines of processes that name a path: what a test left running. */
export async function processesNaming(path: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (pid === `${process.pid}`) continue;
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    if (line.includes(path) || cwd.startsWith(path)) found.push(line.replaceAll('\0', ' ').trim());
  }
  return found;
}

/** Looks again and again until the answer is there. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined>,
  timeoutMs = 60_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`still not so after ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
