import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { tinyImage } from './e2e-host.js';

const mib = 1024 ** 2;
const sectorBytes = 512;

/** Where tiny's kernel begins, and where its second partition does (docs/guest-image.md). */
const bootStart = mib;
const bootEnd = 64 * mib;

/** A disk with content and no boot code at all. */
export async function makeDiskWithoutBootLoader(directory: string): Promise<string> {
  return await writeDisk(join(directory, 'no-boot-loader.raw'), Buffer.alloc(sectorBytes));
}

/** A disk whose boot code is one jump to itself: firmware starts it, and nothing comes of it. */
export async function makeDiskThatHangs(directory: string): Promise<string> {
  const sector = Buffer.alloc(sectorBytes);
  sector.set([0xeb, 0xfe]);
  sector.set([0x55, 0xaa], sectorBytes - 2);
  return await writeDisk(join(directory, 'hangs.raw'), sector);
}

async function writeDisk(path: string, bootSector: Buffer): Promise<string> {
  const content = Buffer.alloc(8 * mib);
  content.set(bootSector);
  content.write('not a file system', 4 * mib);
  await writeFile(path, content);
  return path;
}

/** tiny with an initramfs that is none: its kernel finds no root file system. */
export async function makeTinyThatPanics(directory: string): Promise<string> {
  return await damageTiny(join(directory, 'panics.raw'), (disk) => {
    // The initramfs is the first gzip behind the kernel, on a sector of its own.
    for (let at = bootStart + 4 * mib; at < bootEnd; at += sectorBytes) {
      if (disk.readUInt32BE(at) === 0x1f8b0800) return at;
    }
    throw new Error('there is no initramfs in tiny');
  });
}

/** tiny with a kernel that is none: GRUB complains, and asks what to do. */
export async function makeTinyWithoutKernel(directory: string): Promise<string> {
  return await damageTiny(join(directory, 'no-kernel.raw'), () => bootStart);
}

async function damageTiny(path: string, find: (disk: Buffer) => number): Promise<string> {
  await rm(path, { force: true });
  await execa('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', tinyImage, path]);
  const at = find(await readFile(path));
  const file = await open(path, 'r+');
  try {
    await file.write(Buffer.alloc(2 * sectorBytes, 0xff), 0, 2 * sectorBytes, at);
  } finally {
    await file.close();
  }
  return path;
}
