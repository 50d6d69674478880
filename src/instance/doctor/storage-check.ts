import { LaunchError } from '../../host/launch-error.js';
import { formatBytes } from '../../host/units.js';
import { diagnoseStorage } from '../bases/measure-storage-needs.js';
import type { Examination } from './examination.js';
import type { Finding, Problem } from './finding.js';

/** What the file system of the bases can do, tried with files, and what follows from it. */
export async function checkStorage(examination: Examination): Promise<Finding> {
  const { host } = examination;
  let diagnosis;
  try {
    diagnosis = await diagnoseStorage(host);
  } catch (error) {
    if (!(error instanceof LaunchError) || !isRefusal(error)) throw error;
    return { found: 'cannot be written', problems: [unwritable(host.home.root, error)] };
  }
  const { directory, facts, plan } = diagnosis;
  const yes = (holds: boolean) => (holds ? 'yes' : 'no');
  const problems: Problem[] = [];
  if (facts.isNetwork) {
    problems.push({
      level: 'warning',
      found: `${facts.fileSystem} is a network file system`,
      why: 'a home that hosts share is safe only where its locks (OFD) reach all of them; root may not be root there, and libvirt cannot give files to QEMU',
      cure: { text: 'keep the home on a disk of this host (LAUNCH_HOME), or give each host its own' },
    });
  }
  if (!facts.sparse) {
    problems.push({
      level: 'warning',
      found: `${facts.fileSystem} keeps no holes`,
      why: 'bases are qcow2 here, which are slower to read',
      cure: { text: 'keep the home on ext4, XFS or btrfs (LAUNCH_HOME)' },
    });
  }
  if (!facts.directIo) {
    problems.push({
      level: 'note',
      found: 'files cannot be opened past the page cache (O_DIRECT)',
      why: "guests use the host's page cache (cache writeback): what they write is kept twice in memory",
      cure: { text: 'keep the home on ext4, XFS or btrfs (LAUNCH_HOME)' },
    });
  }
  return {
    found: `${facts.fileSystem}, reflink ${yes(facts.reflink)}, O_DIRECT ${yes(facts.directIo)}, sparse files ${yes(facts.sparse)}`,
    problems,
    details: [
      directory,
      `  file system     ${facts.fileSystem}${facts.isNetwork ? ' (network)' : ''}`,
      `  free            ${formatBytes(facts.freeBytes)} of ${formatBytes(facts.totalBytes)}`,
      `  free inodes     ${facts.freeInodes ?? 'as many as it needs'}`,
      `  sparse files    ${yes(facts.sparse)}`,
      `  reflink         ${yes(facts.reflink)}`,
      `  O_DIRECT        ${yes(facts.directIo)}`,
      ...plan.reasons.map((reason) => `  ${reason}`),
    ],
    facts: { directory, ...facts, plan },
  };
}

function isRefusal({ code }: LaunchError): boolean {
  return code === 'PERMISSION_DENIED' || code === 'FILE_SYSTEM' || code === 'DISK_FULL';
}

function unwritable(root: string, error: LaunchError): Problem {
  const isFull = error.code === 'DISK_FULL';
  return {
    level: 'failed',
    found: error.message,
    why: 'images, bases and instances are kept there',
    cure: isFull
      ? { text: 'see what can go', command: 'launch df; launch base prune --dry-run' }
      : {
          text: `run as the user that ${JSON.stringify(root)} belongs to, or keep a home of your own`,
          command: 'LAUNCH_HOME=~/.local/share/launch launch --connect qemu:///session …',
        },
  };
}
