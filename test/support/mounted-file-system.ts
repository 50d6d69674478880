import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { onTestFinished } from 'vitest';
import { makeTemporaryDirectory } from './integration-host.js';

export type FileSystemKind = 'tmpfs' | 'ext4' | 'xfs' | 'btrfs';

const mebibyte = 1024 ** 2;

/**
 * A file system of its own, gone with the test; all but tmpfs on a loop device.
 *
 * @param sizeBytes by default 64 MiB for tmpfs, and 1 GiB for the others
 */
export async function mountFileSystem(
  kind: FileSystemKind,
  options: { readonly sizeBytes?: number; readonly makeOptions?: readonly string[] } = {},
): Promise<string> {
  const directory = await makeTemporaryDirectory();
  const mountPoint = join(directory, 'mounted');
  await mkdir(mountPoint);
  const source = join(directory, 'disk');
  if (kind !== 'tmpfs') {
    await execa('truncate', ['--size', `${options.sizeBytes ?? 1024 * mebibyte}`, source]);
    await execa(`mkfs.${kind}`, ['-q', ...(options.makeOptions ?? []), source]);
  }
  const how =
    kind === 'tmpfs'
      ? ['-t', 'tmpfs', '-o', `size=${options.sizeBytes ?? 64 * mebibyte}`, 'tmpfs']
      : ['-o', 'loop', source];
  await execa('mount', [...how, mountPoint]);
  onTestFinished(async () => {
    await execa('umount', ['--lazy', mountPoint], { reject: false });
  });
  return mountPoint;
}
