import type { Options } from 'execa';
import { installCommand } from './install-command.js';
import { LaunchError } from './launch-error.js';
import { interruptedError } from './work.js';

export interface CommandOptions {
  readonly signal?: AbortSignal | undefined;
  /** Ends the command, SIGTERM first. */
  readonly timeoutMs?: number;
  /** Address space that the command may use, by RLIMIT_AS; the command ends with an error above it. */
  readonly maximumMemoryBytes?: number;
  /** Processor time that the command may use, by RLIMIT_CPU. */
  readonly maximumCpuSeconds?: number;
  /** The kernel kills the command when its parent dies, even by SIGKILL. */
  readonly dieWithParent?: boolean;
  readonly input?: string;
  /** Added to this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly onStdout?: (chunk: string) => void;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The one way to run a process: no shell, an argument array, the C locale. */
export interface CommandRunner {
  /**
   * Runs a command to its end, whatever its exit code.
   *
   * @throws LaunchError COMMAND_MISSING, COMMAND_TIMEOUT, INTERRUPTED
   */
  run(file: string, args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
}

/** Debian's package for each command that may be missing. */
const packageOf: Readonly<Record<string, string>> = {
  'qemu-img': 'qemu-utils',
  virsh: 'libvirt-clients',
  'ssh-add': 'openssh-client',
  'ssh-keygen': 'openssh-client',
  gpgv: 'gpgv',
  xz: 'xz-utils',
  bzip2: 'bzip2',
  zstd: 'zstd',
};

const maximumOutputBytes = 64 * 1024 * 1024;

export const systemCommandRunner: CommandRunner = {
  async run(file, args, options = {}) {
    const [program, ...rest] = withLimits([file, ...args], options);
    const execa = await loadExeca();
    const subprocess = execa(program, rest, executionOptions(options));
    if (options.onStdout !== undefined) {
      const { onStdout } = options;
      subprocess.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        onStdout(chunk);
      });
    }
    const result = await subprocess;
    if (result.isCanceled && options.signal !== undefined) throw interruptedError(options.signal);
    // A prefix command such as prlimit says 127 where the kernel would have said ENOENT.
    if (result.code === 'ENOENT' || (program !== file && result.exitCode === 127)) throw commandMissing(file);
    if (result.timedOut || result.signal === 'SIGXCPU') {
      throw new LaunchError('COMMAND_TIMEOUT', `"${file}" took too long and was ended`, {
        details: { command: [file, ...args], timeoutMs: options.timeoutMs },
      });
    }
    if (result.exitCode === undefined && result.signal === undefined) {
      throw new LaunchError(
        'COMMAND_FAILED',
        `cannot run "${file}": ${result.shortMessage ?? 'unknown error'}`,
        {
          cause: result.cause,
        },
      );
    }
    return {
      exitCode: result.exitCode ?? 128,
      stdout: result.stdout,
      stderr: result.signal === undefined ? result.stderr : `${result.stderr}ended by ${result.signal}`,
    };
  },
};

/** Loaded with the first command: `launch --help` and most lists run none, and start sooner without it. */
async function loadExeca() {
  // Node ignores this signal, so that a write past a limit of file sizes is an error. execa's cleaning up
  // after itself would make it deadly.
  if (process.listenerCount('SIGXFSZ') === 0) process.on('SIGXFSZ', () => undefined);
  return (await import('execa')).execa;
}

/** What a command said when it failed: the last line of its standard error, without its own name. */
export function complaintOf(file: string, result: CommandResult): string {
  const line = result.stderr.trim().split('\n').at(-1) ?? '';
  return line.replace(new RegExp(`^(${file}|error): `), '') || `exit code ${result.exitCode}`;
}

export function withLimits(command: [string, ...string[]], options: CommandOptions): [string, ...string[]] {
  const limits = [
    ...(options.maximumMemoryBytes === undefined ? [] : [`--as=${options.maximumMemoryBytes}`]),
    ...(options.maximumCpuSeconds === undefined ? [] : [`--cpu=${options.maximumCpuSeconds}`]),
  ];
  const limited: [string, ...string[]] = limits.length === 0 ? command : ['prlimit', ...limits, ...command];
  return options.dieWithParent === true ? ['setpriv', '--pdeathsig', 'KILL', ...limited] : limited;
}

function executionOptions(options: CommandOptions) {
  return {
    reject: false,
    stripFinalNewline: false,
    maxBuffer: maximumOutputBytes,
    env: { ...options.environment, LC_ALL: 'C' },
    forceKillAfterDelay: 2000,
    stdin: options.input === undefined ? 'ignore' : 'pipe',
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
  } as const satisfies Options;
}

export function commandMissing(file: string): LaunchError {
  const name = packageOf[file];
  return new LaunchError('COMMAND_MISSING', `cannot find the command "${file}"`, {
    hint: name === undefined ? `install "${file}"` : `install it:  ${installCommand([name])}`,
    details: { command: file },
  });
}
