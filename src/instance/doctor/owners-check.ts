import { chmod, chown, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { listBaseNames } from '../../disk/base-record.js';
import { LaunchError } from '../../host/launch-error.js';
import { complaintOf } from '../../host/command.js';
import { fileSystemError } from '../../host/system-error.js';
import type { Examination } from './examination.js';
import { count } from '../../host/units.js';
import { shellQuote, type Finding, type Problem } from './finding.js';
import { readChains } from './instance-chains.js';

const prefix = 'trusted.libvirt.security.';

/** What libvirt wrote on a file when it gave it to QEMU (its remember_owner). */
export interface RememberedOwner {
  readonly path: string;
  /** How many guests it believes to use the file. */
  readonly users: number;
  /** As `0:0`; to whom it will give the file back. */
  readonly owner: string | undefined;
  /** Seconds since the epoch; of the boot that the count is of. libvirt drops what is from another. */
  readonly bootSeconds: number | undefined;
}

/** Who owns disks and bases, and whom libvirt believes to use them. */
export async function checkOwners(examination: Examination): Promise<Finding> {
  const { home } = examination.host;
  const chains = await readChains(examination);
  const running = new Set(chains.filter(({ isRunning }) => isRunning).flatMap(({ paths }) => paths));
  const bases = (await listBaseNames(home)).map((name) => home.base(name).file);
  const { qemuUser } = await examination.capabilities();
  const files = [...new Set([...chains.flatMap(({ paths }) => paths), ...bases])];
  // Only a libvirt that gives files to another user remembers whose they were.
  const remembered = qemuUser === undefined ? [] : await readRemembered(examination, files);
  const bootSeconds = await readBootSeconds(examination.places.proc);
  const stale = (remembered ?? []).filter(
    ({ path, users, bootSeconds: from }) =>
      users > 0 && !running.has(path) && (from === undefined || from === bootSeconds),
  );
  const baseOwners = await baseProblems(bases, qemuUser?.uid);
  const problems = [...stale.map((entry) => staleProblem(examination, entry)), ...baseOwners];
  return {
    found: `${count(chains.length, 'disk')}, ${count(bases.length, 'base')}${remembered === undefined ? '; what libvirt remembers of them cannot be read (needs getfattr, and root)' : ''}`,
    problems,
    ...(remembered === undefined && files.length > 0 ? { unknown: true } : {}),
    facts: { remembered },
  };
}

async function readRemembered(
  examination: Examination,
  files: readonly string[],
): Promise<readonly RememberedOwner[] | undefined> {
  // Others than root do not even see that there are any.
  if (process.geteuid?.() !== 0) return undefined;
  const found: RememberedOwner[] = [];
  try {
    for (let at = 0; at < files.length; at += 400) {
      const args = ['--absolute-names', '--dump', '--match', '^trusted\\.libvirt\\.security\\.'];
      const { stdout } = await examination.run('getfattr', [...args, '--', ...files.slice(at, at + 400)]);
      found.push(...parseRemembered(stdout));
    }
    return found;
  } catch (error) {
    if (error instanceof LaunchError && error.code === 'COMMAND_MISSING') return undefined;
    throw error;
  }
}

/** getfattr's dump: `# file: PATH`, lines of `name="value"`, an empty line. */
export function parseRemembered(dump: string): readonly RememberedOwner[] {
  return dump.split(/\n\n+/).flatMap((block) => {
    const path = /^# file: (.*)$/m.exec(block)?.[1];
    if (path === undefined) return [];
    const valueOf = (name: string) =>
      new RegExp(`^${prefix.replaceAll('.', '\\.')}${name}="(.*)"$`, 'm').exec(block)?.[1];
    const boot = valueOf('timestamp_dac');
    return [
      {
        path: unescapePath(path),
        users: Number(valueOf('ref_dac') ?? '0'),
        owner: /^\+(\d+:)\+(\d+)$/
          .exec(valueOf('dac') ?? '')
          ?.slice(1)
          .join(''),
        bootSeconds: boot === undefined ? undefined : Number(boot),
      },
    ];
  });
}

/** getfattr writes what is not printable, and backslashes, as `\ooo`. */
function unescapePath(path: string): string {
  const bytes = path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
  return bytes === path ? path : Buffer.from(bytes, 'latin1').toString('utf8');
}

async function readBootSeconds(proc: string): Promise<number | undefined> {
  const text = await readFile(join(proc, 'stat'), 'utf8').catch(() => '');
  const seconds = /^btime (\d+)$/m.exec(text)?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}

function staleProblem(examination: Examination, { path, users, owner }: RememberedOwner): Problem {
  return {
    level: 'warning',
    found: `libvirt counts ${count(users, 'user')} of ${JSON.stringify(path)}, and none runs`,
    why: 'the file is not given back, and to another user of QEMU libvirt refuses it ("Setting different DAC user or group … already in use")',
    cure: {
      text: 'take the marks off',
      command: `setfattr --remove=${prefix}ref_dac ${shellQuote(path)} && chown ${owner ?? '0:0'} ${shellQuote(path)}`,
      fix: async () => {
        for (const name of ['ref_dac', 'timestamp_dac', 'dac']) {
          const result = await examination.run('setfattr', [`--remove=${prefix}${name}`, '--', path]);
          if (result.exitCode === 0 || result.stderr.includes('No such attribute')) continue;
          throw new LaunchError('COMMAND_FAILED', `"setfattr" says: ${complaintOf('setfattr', result)}`);
        }
        const [uid = 0, gid = 0] = (owner ?? '0:0').split(':').map(Number);
        await giveTo(path, uid, gid);
        return `took libvirt's marks off ${path}, and gave it back to ${uid}:${gid}`;
      },
    },
  };
}

/** libvirt gives the base to QEMU's user with the overlay, and does not take it back. */
async function baseProblems(bases: readonly string[], qemuUid: number | undefined): Promise<Problem[]> {
  const left: string[] = [];
  const writable: string[] = [];
  for (const path of bases) {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) continue;
    const mayWrite = (found.mode & (found.uid === qemuUid ? 0o222 : 0o022)) !== 0;
    if (mayWrite) writable.push(path);
    else if (qemuUid !== undefined && qemuUid !== process.geteuid?.() && found.uid === qemuUid)
      left.push(path);
  }
  const problems: Problem[] = [];
  if (writable.length > 0) {
    problems.push({
      level: 'warning',
      found: `${count(writable.length, 'base')} can be written by others than root`,
      why: 'what one guest wrote into a base, all guests on it would read',
      cure: {
        text: 'make them read-only',
        command: `chmod 444 ${writable.map(shellQuote).join(' ')}`,
        fix: async () => {
          for (const path of writable) await setMode(path, 0o444);
          return `made read-only: ${writable.join(', ')}`;
        },
      },
    });
  }
  if (left.length > 0) {
    problems.push({
      level: 'note',
      found: `${count(left.length, 'base')} left with QEMU's user`,
      why: 'libvirt gives a base to QEMU at each start and never takes it back; a QEMU that was taken over could make it writable',
      cure: {
        text: 'give them back to root; guests that run on them go on',
        command: `chown 0:0 ${left.map(shellQuote).join(' ')}`,
        fix: async () => {
          for (const path of left) await giveTo(path, 0, 0);
          return `gave back to root: ${count(left.length, 'base')}`;
        },
      },
    });
  }
  return problems;
}

async function setMode(path: string, mode: number): Promise<void> {
  await chmod(path, mode).catch((error: unknown) => {
    throw fileSystemError('change the mode of', path, error);
  });
}

async function giveTo(path: string, uid: number, gid: number): Promise<void> {
  await chown(path, uid, gid).catch((error: unknown) => {
    throw fileSystemError('change the owner of', path, error);
  });
}
