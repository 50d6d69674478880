import { chmod, truncate } from 'node:fs/promises';
import { complaintOf, type CommandRunner } from '../host/command.js';
import { checkFreeSpace, tryReflink } from '../host/file-system.js';
import { findFileStat } from '../host/files.js';
import { LaunchError } from '../host/launch-error.js';
import type { Work } from '../host/work.js';
import type { BaseFormat } from './base-format.js';
import type { Preallocation, QemuImg } from '../qemu-img/qemu-img.js';

export interface DiskTools {
  readonly qemuImg: QemuImg;
  readonly runner: CommandRunner;
}

export interface RootDiskRequest {
  readonly basePath: string;
  /** What the base is; written into the overlay. raw by default. */
  readonly baseFormat?: BaseFormat;
  readonly virtualSizeBytes: number;
  /** `overlay` is qcow2 on the base; `copy` is raw and stands alone. */
  readonly kind: 'overlay' | 'copy';
  readonly preallocation?: Preallocation | undefined;
}

/**
 * Makes an instance's own disk.
 *
 * @returns the format that was created: what the domain's driver type has to be
 * @throws LaunchError DISK_FULL, COMMAND_FAILED, INTERRUPTED
 */
export async function createRootDisk(
  directory: string,
  path: string,
  request: RootDiskRequest,
  tools: DiskTools,
  work: Work = {},
): Promise<'qcow2' | 'raw'> {
  if (request.preallocation === 'falloc' || request.preallocation === 'full') {
    await checkFreeSpace(directory, request.virtualSizeBytes, 'take the space of the disk at once');
  }
  if (request.kind === 'copy') {
    await copyBase(directory, path, request, tools, work);
    return 'raw';
  }
  await tools.qemuImg.createOverlay(
    path,
    {
      basePath: request.basePath,
      baseFormat: request.baseFormat ?? 'raw',
      virtualSizeBytes: request.virtualSizeBytes,
      preallocation: request.preallocation,
    },
    work,
  );
  // The guest's content is nobody's business; libvirt gives the file to QEMU's user at start.
  await chmod(path, 0o600);
  return 'qcow2';
}

async function copyBase(
  directory: string,
  path: string,
  request: RootDiskRequest,
  tools: DiskTools,
  work: Work,
): Promise<void> {
  const format = request.baseFormat ?? 'raw';
  if (format !== 'raw' || !(await tryReflink(request.basePath, path))) {
    const base = await findFileStat(request.basePath);
    await checkFreeSpace(directory, base?.allocatedBytes ?? 0, 'copy the base');
    await tools.qemuImg.convert({ path: request.basePath, format }, { path, format: 'raw' }, work);
  }
  await chmod(path, 0o600);
  await truncate(path, request.virtualSizeBytes);
  if (request.preallocation === 'falloc')
    await allocateAll(path, request.virtualSizeBytes, tools.runner, work);
}

/** Takes the blocks of all holes; what is there stays. Node has no fallocate(2). */
async function allocateAll(
  path: string,
  sizeBytes: number,
  runner: CommandRunner,
  work: Work,
): Promise<void> {
  const result = await runner.run('fallocate', ['--length', `${sizeBytes}`, path], { signal: work.signal });
  if (result.exitCode === 0) return;
  const full = result.stderr.includes('No space left');
  throw new LaunchError(
    full ? 'DISK_FULL' : 'COMMAND_FAILED',
    `cannot take the space of "${path}" at once: ${complaintOf('fallocate', result)}`,
  );
}
