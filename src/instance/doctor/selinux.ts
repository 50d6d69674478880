import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextFile } from '../../host/files.js';
import type { Examination } from './examination.js';
import { shellQuote, type Problem } from './finding.js';

/** File systems without labels of their own (statfs magic), and the boolean that lets guests use them. */
const booleans: Readonly<Record<number, string>> = {
  0x6969: 'virt_use_nfs',
  0xff534d42: 'virt_use_samba',
  0xfe534d42: 'virt_use_samba',
  0x517b: 'virt_use_samba',
  0x65735546: 'virt_use_fusefs',
};

/** Types of folders in which Fedora's policy lets libvirt's log daemon make files. */
const logTypes = ['virt_var_lib_t', 'svirt_image_t', 'virt_log_t'];

/**
 * libvirt labels each disk for its guest. Where the file system takes no labels it cannot, and a boolean of
 * the policy decides.
 */
export async function selinuxProblems(examination: Examination): Promise<readonly Problem[]> {
  const { sys } = examination.places;
  const selinux = join(sys, 'fs', 'selinux');
  if (readTextFile(join(selinux, 'enforce'))?.trim() !== '1') return [];
  const { home, hypervisor } = examination.host;
  const found = await statfs(home.root).catch(() => undefined);
  const problems = await booleanProblems(selinux, found === undefined ? 0 : found.type >>> 0);
  // The daemon of a session is not confined.
  if (problems.length > 0 || hypervisor.uri !== 'qemu:///system') return problems;
  const { stdout } = await examination.run('stat', ['--format=%C', home.instances]);
  return labelProblems(stdout.trim(), home.root);
}

/** @param label of the folder of the instances, `user:role:type:level`; anything else where there is none */
export function labelProblems(label: string, root: string): readonly Problem[] {
  const type = label.split(':')[2];
  if (type === undefined || logTypes.includes(type)) return [];
  return [
    {
      level: 'warning',
      found: `SELinux keeps libvirt's log daemon from this home (its label is ${type})`,
      why: 'it makes the console log of each guest there; a start ends with "Permission denied"',
      cure: {
        text: 'label it like libvirt’s own files, with no guest running',
        command: `semanage fcontext -a -t virt_var_lib_t ${shellQuote(`${root}(/.*)?`)} && restorecon -R ${shellQuote(root)}`,
      },
    },
  ];
}

/** @param magic of the file system that the home is on */
export async function booleanProblems(selinux: string, magic: number): Promise<readonly Problem[]> {
  const boolean = booleans[magic];
  if (boolean === undefined) return [];
  // The value in force, then the one that is pending.
  const value = readTextFile(join(selinux, 'booleans', boolean));
  if (value === undefined || value.startsWith('1')) return [];
  return [
    {
      level: 'failed',
      found: `SELinux keeps guests from this file system (${boolean} is off)`,
      why: 'it takes no labels, so libvirt cannot mark disks as the guest’s own; a start ends with "Permission denied"',
      cure: { text: 'allow it', command: `setsebool -P ${boolean} on` },
    },
  ];
}
