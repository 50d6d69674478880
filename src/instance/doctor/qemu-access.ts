import { access, constants, stat } from 'node:fs/promises';
import { LaunchError } from '../../host/launch-error.js';
import type { Examination } from './examination.js';

export interface UserId {
  readonly uid: number;
  readonly gid: number;
}

export type Access = 'search' | 'read' | 'write';

const modes = {
  search: constants.X_OK,
  read: constants.R_OK,
  write: constants.R_OK | constants.W_OK,
} as const;

/** What find(1) asks the kernel for, with access(2). */
const tests: Readonly<Record<Access, readonly string[]>> = {
  search: ['-executable'],
  read: ['-readable'],
  write: ['-readable', '-writable'],
};

/** A command line has its limit. */
const pathsAtOnce = 400;

/**
 * Which of these paths a user reaches, with the groups that libvirt would give it. As root this is tried as
 * that very user; others can only read the modes, which know nothing of access control lists.
 *
 * @param user undefined: whoever runs this
 */
export async function reachablePaths(
  examination: Examination,
  user: UserId | undefined,
  paths: readonly string[],
  kind: Access,
): Promise<ReadonlySet<string>> {
  if (user === undefined || user.uid === process.geteuid?.()) return await tryAsOurselves(paths, kind);
  if (process.geteuid?.() !== 0) return await judgeByModes(user, paths, kind);
  const reached = new Set<string>();
  for (let at = 0; at < paths.length; at += pathsAtOnce) {
    const some = paths.slice(at, at + pathsAtOnce);
    for (const path of await tryAs(examination, user, some, kind)) reached.add(path);
  }
  return reached;
}

async function tryAs(
  examination: Examination,
  user: UserId,
  paths: readonly string[],
  kind: Access,
): Promise<readonly string[]> {
  // A uid without an entry in the user database has no other groups.
  const isKnown = (await examination.findUserName(user.uid)) !== undefined;
  const result = await examination.run('setpriv', [
    `--reuid=${user.uid}`,
    `--regid=${user.gid}`,
    isKnown ? '--init-groups' : '--clear-groups',
    ...['find', ...paths, '-maxdepth', '0', ...tests[kind], '-print0'],
  ]);
  if (/^setpriv:/m.test(result.stderr)) {
    throw new LaunchError(
      'COMMAND_FAILED',
      `cannot try as user ${user.uid}: ${result.stderr.trim().split('\n')[0] ?? ''}`,
    );
  }
  return result.stdout.split('\0').filter((path) => path !== '');
}

async function tryAsOurselves(paths: readonly string[], kind: Access): Promise<ReadonlySet<string>> {
  const reached = new Set<string>();
  for (const path of paths) {
    await access(path, modes[kind]).then(
      () => reached.add(path),
      () => undefined,
    );
  }
  return reached;
}

async function judgeByModes(
  user: UserId,
  paths: readonly string[],
  kind: Access,
): Promise<ReadonlySet<string>> {
  const wanted = { search: 0o1, read: 0o4, write: 0o6 }[kind];
  const reached = new Set<string>();
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) continue;
    const shift = found.uid === user.uid ? 6 : found.gid === user.gid ? 3 : 0;
    if (((found.mode >> shift) & wanted) === wanted) reached.add(path);
  }
  return reached;
}
