import { execa } from 'execa';

/** Stops and undefines what a run left in libvirt under its names, also one that failed or was interrupted. */
export async function clearUp(prefix: string): Promise<void> {
  const named = async (...args: readonly string[]) =>
    (await virsh(...args)).stdout.split('\n').filter((name) => name.startsWith(`${prefix}-`));
  for (const name of await named('list', '--all', '--name')) {
    await virsh('destroy', name);
    await virsh('undefine', name);
  }
  for (const name of await named('pool-list', '--all', '--name')) await removePool(name);
}

/** virt-install leaves a pool for the directory of each disk, under the directory's name. */
export async function removePool(name: string): Promise<void> {
  await virsh('pool-destroy', name);
  await virsh('pool-undefine', name);
}

async function virsh(...args: readonly string[]) {
  return await execa('virsh', ['-q', '-c', 'qemu:///system', ...args], { reject: false });
}
