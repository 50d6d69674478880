import { chmod, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileExists } from '../../host/files.js';
import { fileSystemError } from '../../host/system-error.js';
import { appArmorProblems } from './apparmor.js';
import type { Capabilities } from './capabilities.js';
import type { Examination } from './examination.js';
import { count } from '../../host/units.js';
import { shortList, shellQuote, type Finding, type Problem } from './finding.js';
import { readChains, type InstanceChain } from './instance-chains.js';
import { reachablePaths, type UserId } from './qemu-access.js';
import { selinuxProblems } from './selinux.js';

/** Whether QEMU, as the user it runs as and under the security driver in force, reaches its disks. */
export async function checkAccess(examination: Examination): Promise<Finding> {
  const { home } = examination.host;
  const capabilities = await examination.capabilities();
  const { qemuUser, securityModels } = capabilities;
  const chains = await readChains(examination);
  const directories = await directoriesAbove([
    home.instances,
    home.bases,
    ...chains.flatMap(({ paths }) => paths.map((path) => dirname(path))),
  ]);
  const searched = await reachablePaths(examination, qemuUser, directories, 'search');
  const closed = directories.filter((directory) => !searched.has(directory));
  // What lies below a closed directory cannot be tried.
  const problems: Problem[] = [
    ...(await closedProblems(examination, closed, qemuUser)),
    ...(closed.length > 0 ? [] : await fileProblems(examination, chains, qemuUser)),
    ...(await driverProblems(examination, capabilities, chains)),
  ];
  const who = qemuUser === undefined ? 'you' : `user ${await nameOf(examination, qemuUser)}`;
  const files = new Set(chains.flatMap(({ paths }) => paths)).size;
  return {
    found: `QEMU runs as ${who}${securityModels.length === 0 ? '' : ` under ${securityModels.join(' and ')}`}: tried ${count(directories.length, 'directory', 'directories')}, ${count(files, 'file')}`,
    problems,
    details: directories.map((path) => `${searched.has(path) ? 'reached' : 'CLOSED '}  ${path}`),
    facts: { qemuUser, securityModels, directories, closed, files },
  };
}

/** Each directory from the root down that is there, parents before what lies in them. */
async function directoriesAbove(paths: readonly string[]): Promise<readonly string[]> {
  const all = new Set<string>();
  for (const path of paths) {
    for (let at = path; !all.has(at); at = dirname(at)) all.add(at);
  }
  const there: string[] = [];
  for (const path of [...all].sort()) if (fileExists(path)) there.push(path);
  return there;
}

async function nameOf(examination: Examination, { uid }: UserId): Promise<string> {
  return (await examination.findUserName(uid)) ?? `${uid}`;
}

async function closedProblems(
  examination: Examination,
  closed: readonly string[],
  user: UserId | undefined,
): Promise<readonly Problem[]> {
  // The rest lies below it, and may be open.
  const [first] = closed;
  if (first === undefined) return [];
  const { root } = examination.host.home;
  const isOurs = first === root || first.startsWith(`${root}/`);
  const who = user === undefined ? '$USER' : await nameOf(examination, user);
  return [
    {
      level: 'failed',
      found: `QEMU (as ${who}) may not pass ${JSON.stringify(first)}`,
      why: 'every directory above a disk needs x for the user that QEMU runs as; a start ends with "Cannot access storage file … Permission denied"',
      cure: isOurs
        ? {
            text: 'open it to pass',
            command: `chmod a+x ${shellQuote(first)}`,
            fix: () => openDirectories(closed, root),
          }
        : {
            text: `let QEMU's user alone pass, or all with chmod o+x; or keep the home elsewhere (LAUNCH_HOME)`,
            command: `setfacl --modify u:${who}:x ${shellQuote(first)}`,
          },
    },
  ];
}

/** Directories that launch made itself: they are to be open to pass. */
async function openDirectories(paths: readonly string[], root: string): Promise<string> {
  const ours = paths.filter((path) => path === root || path.startsWith(`${root}/`));
  for (const path of ours) {
    try {
      await chmod(path, ((await stat(path)).mode & 0o777) | 0o111);
    } catch (error) {
      throw fileSystemError('open', path, error);
    }
  }
  return `opened to pass: ${ours.join(', ')}`;
}

/** libvirt gives a disk to QEMU's user at each start, unless it was told not to (dynamic_ownership = 0). */
async function fileProblems(
  examination: Examination,
  chains: readonly InstanceChain[],
  user: UserId | undefined,
): Promise<readonly Problem[]> {
  const givesFiles = user !== undefined && (await isOwnershipDynamic(examination.places.qemuConf));
  const tried = chains.filter(({ isRunning }) => isRunning || !givesFiles);
  const tops = tried.flatMap(({ paths }) => paths.slice(0, 1));
  const below = [...new Set(tried.flatMap(({ paths }) => paths.slice(1)))];
  const [written, read] = await Promise.all([
    reachablePaths(examination, user, tops, 'write'),
    reachablePaths(examination, user, below, 'read'),
  ]);
  const problems: Problem[] = [];
  for (const chain of tried) {
    const [top] = chain.paths;
    const closed = chain.paths.filter((path) => !(path === top ? written : read).has(path));
    if (closed.length === 0) continue;
    const owner = user === undefined ? '"$USER"' : await nameOf(examination, user);
    problems.push({
      level: 'failed',
      found: `QEMU may not ${closed[0] === top ? 'write' : 'read'} ${JSON.stringify(closed[0])}`,
      why: chain.isRunning
        ? `${chain.domainName} runs on it and cannot open it again, as a snapshot or a restart of the guest's disk does`
        : `${chain.domainName} cannot be started${user === undefined ? '' : ': libvirt was told not to give files to QEMU (dynamic_ownership)'}`,
      cure: {
        text: closed[0] === top ? 'give it to the user that QEMU runs as' : 'make it readable',
        command: closed
          .map((path) =>
            path === top ? `chown ${owner} ${shellQuote(path)}` : `chmod a+r ${shellQuote(path)}`,
          )
          .join(' && '),
      },
    });
  }
  if (problems.length <= 3) return problems;
  const names = tried.map(({ domainName }) => domainName);
  return [
    ...problems.slice(0, 3),
    { ...moreProblems(problems.length - 3), why: `all in all: ${shortList(names)}` },
  ];
}

function moreProblems(number: number): Problem {
  return {
    level: 'failed',
    found: `${count(number, 'more disk')} that QEMU may not use`,
    why: '',
    cure: { text: 'as above' },
  };
}

/** @returns libvirt's default, true, where its configuration is not ours to read */
async function isOwnershipDynamic(qemuConf: string): Promise<boolean> {
  const text = await readFile(qemuConf, 'utf8').catch(() => '');
  return !/^\s*dynamic_ownership\s*=\s*0/m.test(text);
}

async function driverProblems(
  examination: Examination,
  { securityModels }: Capabilities,
  chains: readonly InstanceChain[],
): Promise<readonly Problem[]> {
  return [
    ...(securityModels.includes('apparmor') ? await appArmorProblems(examination, chains) : []),
    ...(securityModels.includes('selinux') ? await selinuxProblems(examination) : []),
  ];
}
