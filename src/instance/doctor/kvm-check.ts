import { access, chmod, chown, constants, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextFile } from '../../host/files.js';
import { errnoOf, fileSystemError } from '../../host/system-error.js';
import type { Examination } from './examination.js';
import type { Finding, Problem } from './finding.js';
import { reachablePaths } from './qemu-access.js';

interface ProcessorFacts {
  readonly flag: 'vmx' | 'svm' | undefined;
  /** This host is a guest itself. */
  readonly isGuest: boolean;
}

/** From the text of /proc/cpuinfo. */
export function parseProcessor(cpuinfo: string): ProcessorFacts {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/));
  return {
    flag: flags.has('vmx') ? 'vmx' : flags.has('svm') ? 'svm' : undefined,
    isGuest: flags.has('hypervisor'),
  };
}

/** Whether guests can run on the processor itself, and not by emulation; never a reason not to launch. */
export async function checkKvm(examination: Examination): Promise<Finding> {
  const { kvmDevice, proc, sys } = examination.places;
  const processor = parseProcessor(await readFile(join(proc, 'cpuinfo'), 'utf8').catch(() => ''));
  const device = await stat(kvmDevice).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw fileSystemError('look at', kvmDevice, error);
  });
  const module = await findModule(sys);
  const problems: Problem[] = [];
  if (device === undefined) problems.push(noDevice(kvmDevice, processor));
  else problems.push(...(await accessProblems(examination, device)));
  if (device !== undefined && processor.flag === undefined) problems.push(noFlag(kvmDevice));
  const parts = [
    device === undefined ? `no ${kvmDevice}` : kvmDevice,
    processor.flag ?? 'neither vmx nor svm',
    ...(module?.nested === undefined ? [] : [`nested guests ${module.nested ? 'yes' : 'no'}`]),
    ...(processor.isGuest ? ['this host is a guest itself'] : []),
  ];
  return {
    found: parts.join(', '),
    problems,
    facts: {
      device: device !== undefined,
      mode: device === undefined ? undefined : (device.mode & 0o777).toString(8),
      ownerId: device?.uid,
      groupId: device?.gid,
      processorFlag: processor.flag,
      isGuest: processor.isGuest,
      module: module?.name,
      nested: module?.nested,
    },
  };
}

/** The module of the processor's kind, and whether guests may have guests of type kvm themselves. */
async function findModule(sys: string): Promise<{ name: string; nested: boolean } | undefined> {
  for (const name of ['kvm_intel', 'kvm_amd']) {
    const value = readTextFile(join(sys, 'module', name, 'parameters', 'nested'));
    if (value !== undefined) return { name, nested: /^[Y1]/.test(value) };
  }
  return undefined;
}

function noDevice(path: string, { flag, isGuest }: ProcessorFacts): Problem {
  const found = `there is no ${path}`;
  const why = 'guests are emulated: ten times slower and more';
  if (flag !== undefined) {
    const module = flag === 'vmx' ? 'kvm_intel' : 'kvm_amd';
    return { level: 'warning', found, why, cure: { text: 'load the module', command: `modprobe ${module}` } };
  }
  return {
    level: 'warning',
    found,
    why,
    cure: {
      text: isGuest
        ? 'this host is a guest: let its own host give it nested virtualization (vmx or svm)'
        : 'switch VT-x or SVM on in the firmware',
    },
  };
}

function noFlag(path: string): Problem {
  return {
    level: 'warning',
    found: `${path} is there, but the processor shows neither vmx nor svm`,
    why: 'firmware runs on it, an ordinary kernel hangs; so guests are emulated unless --virt-type kvm says otherwise',
    cure: { text: 'let this host have vmx or svm (nested virtualization), or live with emulation' },
  };
}

async function accessProblems(
  examination: Examination,
  device: { readonly mode: number; readonly uid: number },
): Promise<readonly Problem[]> {
  const { kvmDevice } = examination.places;
  // Without libvirt nobody says whom QEMU would run as; the check of libvirt tells.
  const capabilities = await examination.capabilities().catch(() => undefined);
  if (capabilities === undefined) return [];
  const { qemuUser } = capabilities;
  if (qemuUser === undefined) {
    const mayOpen = await access(kvmDevice, constants.R_OK | constants.W_OK).then(
      () => true,
      () => false,
    );
    if (mayOpen) return [];
    return [
      {
        level: 'warning',
        found: `you may not open ${kvmDevice}`,
        why: 'QEMU runs as you here, so guests of type kvm do not start',
        cure: { text: 'join the group, then log in again', command: 'sudo adduser "$USER" kvm' },
      },
    ];
  }
  const reached = await reachablePaths(examination, qemuUser, [kvmDevice], 'write');
  if (reached.has(kvmDevice)) return [];
  const rootOnly = (device.mode & 0o066) === 0;
  return [
    {
      level: 'warning',
      found: `QEMU's user (${qemuUser.uid}) may not open ${kvmDevice}`,
      why: rootOnly
        ? 'libvirt learns as root that kvm works, finds as that user that it does not, and asks QEMU anew, for seconds, at each call'
        : 'guests of type kvm do not start',
      cure: {
        text: 'give the device to the group kvm, as udev does',
        command: `chgrp kvm ${kvmDevice} && chmod 660 ${kvmDevice}`,
        ...(examination.isLocal ? { fix: () => giveToGroup(examination, kvmDevice, device.uid) } : {}),
      },
    },
  ];
}

async function giveToGroup(examination: Examination, path: string, ownerId: number): Promise<string> {
  const { stdout } = await examination.run('getent', ['group', 'kvm']);
  const groupId = Number(stdout.split(':')[2]);
  try {
    // Without the group, the device's modes of most distributions today: anyone's.
    if (stdout === '' || !Number.isInteger(groupId)) {
      await chmod(path, 0o666);
      return `${path} is open to all: there is no group kvm`;
    }
    await chown(path, ownerId, groupId);
    await chmod(path, 0o660);
    return `${path} belongs to the group kvm`;
  } catch (error) {
    throw fileSystemError('change the owner of', path, error);
  }
}
