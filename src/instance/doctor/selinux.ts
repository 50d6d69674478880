import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextFile } from '../../host/files.js';
import type { Examination } from './examination.js';
import type { Problem } from './finding.js';

/** File systems without labels of their own (statfs magic), and the boolean that lets guests use them. */
const booleans: Readonly<Record<number, string>> = {
  0x6969: 'virt_use_nfs',
  0xff534d42: 'virt_use_samba',
  0xfe534d42: 'virt_use_samba',
  0x517b: 'virt_use_samba',
  0x65735546: 'virt_use_fusefs',
};

/**
 * libvirt labels each disk for its guest. Where the file system takes no labels it cannot, and a boolean of
 * the policy decides.
 */
export async function selinuxProblems(examination: Examination): Promise<readonly Problem[]> {
  const { sys } = examination.places;
  const selinux = join(sys, 'fs', 'selinux');
  if ((await readTextFile(join(selinux, 'enforce')))?.trim() !== '1') return [];
  const found = await statfs(examination.host.home.root).catch(() => undefined);
  return await booleanProblems(selinux, found === undefined ? 0 : found.type >>> 0);
}

/** @param magic of the file system that the home is on */
export async function booleanProblems(selinux: string, magic: number): Promise<readonly Problem[]> {
  const boolean = booleans[magic];
  if (boolean === undefined) return [];
  // The value in force, then the one that is pending.
  const value = await readTextFile(join(selinux, 'booleans', boolean));
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
