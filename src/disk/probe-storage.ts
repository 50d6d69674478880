import { open, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { supportsDirectIo, tryReflink } from '../host/file-system.js';
import { findFileStat } from '../host/files.js';
import type { Maker } from '../host/maker.js';
import { fileSystemError } from '../host/system-error.js';
import type { BaseFormat } from './base-format.js';
import type { StorageFacts } from './plan-storage.js';

/** Magic numbers of statfs(2), from linux/magic.h and the kernel's sources; true: over a network. */
const fileSystems: Readonly<Record<number, readonly [name: string, isNetwork: boolean]>> = {
  0xef53: ['ext4', false],
  0x58465342: ['xfs', false],
  0x9123683e: ['btrfs', false],
  0xca451a4e: ['bcachefs', false],
  0x2fc12fc1: ['zfs', false],
  0xf2f52010: ['f2fs', false],
  0x01021994: ['tmpfs', false],
  0x794c7630: ['overlayfs', false],
  0x4d44: ['vfat', false],
  0x2011bab0: ['exfat', false],
  0x6969: ['nfs', true],
  0xff534d42: ['cifs', true],
  0xfe534d42: ['smb2', true],
  0x517b: ['smb', true],
  0x01021997: ['9p', true],
  0x00c36400: ['ceph', true],
  0x01161970: ['gfs2', true],
  0x7461636f: ['ocfs2', true],
  // What is behind FUSE is not known: sshfs and glusterfs are, ntfs-3g is not.
  0x65735546: ['fuse', true],
};

/** Those that write a hole as zeros. */
const withoutHoles: readonly string[] = ['vfat', 'exfat'];

/** raw, but qcow2 where a raw base would take its whole virtual size; asks the file system its name only. */
export async function chooseBaseFormat(directory: string): Promise<BaseFormat> {
  const found = await statfs(directory).catch(() => undefined);
  if (found !== undefined) return withoutHoles.includes(nameOf(found.type).fileSystem) ? 'qcow2' : 'raw';
  const parent = dirname(directory);
  return parent === directory ? 'raw' : await chooseBaseFormat(parent);
}

function nameOf(type: number): { readonly fileSystem: string; readonly isNetwork: boolean } {
  // Negative where the kernel's number has the highest bit set.
  const magic = type >>> 0;
  const [fileSystem, isNetwork] = fileSystems[magic] ?? [`0x${magic.toString(16)}`, false];
  return { fileSystem, isNetwork };
}

const pieceBytes = 64 * 1024;

/** Looks at a directory's file system, with trial files under the maker's names. */
export async function probeStorage(directory: string, maker: Maker): Promise<StorageFacts> {
  const found = await statfs(directory).catch((error: unknown) => {
    throw fileSystemError('look at the file system of', directory, error);
  });
  return {
    ...nameOf(found.type),
    ...(await tryFiles(directory, maker)),
    directIo: await supportsDirectIo(directory, maker),
    freeBytes: found.bavail * found.bsize,
    totalBytes: found.blocks * found.bsize,
    freeInodes: found.files === 0 ? undefined : found.ffree,
  };
}

async function tryFiles(
  directory: string,
  maker: Maker,
): Promise<{ readonly reflink: boolean; readonly sparse: boolean }> {
  const path = maker.temporaryPath(join(directory, 'storage'));
  const clone = maker.temporaryPath(join(directory, 'storage-clone'));
  try {
    const handle = await open(path, 'wx', 0o600);
    try {
      await handle.write(Buffer.alloc(pieceBytes, 1), 0, pieceBytes, 0);
      await handle.truncate(64 * pieceBytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    const allocatedBytes = (await findFileStat(path))?.allocatedBytes ?? 0;
    return { sparse: allocatedBytes < 32 * pieceBytes, reflink: await tryReflink(path, clone) };
  } catch (error) {
    throw fileSystemError('write into', directory, error);
  } finally {
    await rm(path, { force: true });
    await rm(clone, { force: true });
  }
}
