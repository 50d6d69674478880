import { execa } from 'execa';
import { readFile } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem } from 'node:os';

/** The machine and the programs that numbers were measured with, one line each. */
export async function describeMachine(directory: string): Promise<readonly string[]> {
  const processor = cpus()[0]?.model.trim() ?? 'unknown processor';
  return [
    `${cpus().length} × ${processor}, ${Math.round(totalmem() / 1024 ** 3)} GiB of memory`,
    `${await distribution()}, Linux ${release()}, ${await fileSystemOf(directory)}`,
    `${await firstLine('qemu-img', '--version')}, libvirt ${await firstLine('virsh', '--version')}, Node ${process.versions.node}`,
    `load when it began: ${loadavg()[0]?.toFixed(2) ?? '?'}`,
  ];
}

async function firstLine(file: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await execa(file, args, { reject: false });
  return (stdout.split('\n')[0] ?? '').replace('qemu-img version', 'QEMU');
}

async function distribution(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(release)?.[1] ?? 'unknown distribution';
}

async function fileSystemOf(directory: string): Promise<string> {
  return await firstLine('findmnt', '--noheadings', '--output', 'FSTYPE', '--target', directory);
}
