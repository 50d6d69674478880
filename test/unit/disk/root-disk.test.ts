import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { createRootDisk } from '../../../src/disk/root-disk.js';
import { launchErrorOf } from '../host/launch-error-of.js';
import { newHome } from '../host/new-home.js';
import { rawQemuImg } from './raw-qemu-img.js';
import type { Answer, RecordedCall } from '../../support/scripted-runner.js';

async function setUp(change?: (call: RecordedCall) => Promise<Answer | undefined>) {
  const { root } = await newHome();
  const basePath = join(root, 'base');
  await writeFile(basePath, 'content of the base', { mode: 0o444 });
  const { qemuImg, runner } = rawQemuImg(async (call) => {
    const answer = await change?.(call);
    if (answer !== undefined) return answer;
    if (call.file === 'fallocate') return {};
    if (call.args[0] !== 'create') return undefined;
    await writeFile(call.args.at(-2) ?? '', 'overlay');
    return {};
  });
  return { root, basePath, path: join(root, 'disk'), tools: { qemuImg, runner }, runner };
}

describe('invariant 4: the driver type is the format that was created', () => {
  it('is qcow2 for an overlay, whose backing format is written down', async () => {
    const { root, basePath, path, tools, runner } = await setUp();
    const request = { basePath, virtualSizeBytes: 4096, kind: 'overlay' } as const;
    expect(await createRootDisk(root, path, request, tools)).toBe('qcow2');
    expect(runner.calls[0]?.args).toContain(`backing_file=${basePath},backing_fmt=raw,extended_l2=on`);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('is raw for a copy, which has the content of the base and its own size', async () => {
    const { root, basePath, path, tools } = await setUp();
    const request = { basePath, virtualSizeBytes: 4096, kind: 'copy' } as const;
    expect(await createRootDisk(root, path, request, tools)).toBe('raw');
    expect((await readFile(path, 'utf8')).replace(/\0+$/, '')).toBe('content of the base');
    const found = await stat(path);
    expect([found.size, found.mode & 0o777]).toEqual([4096, 0o600]);
    expect((await stat(basePath)).mode & 0o777).toBe(0o444);
  });
});

describe('invariant 10: space that is taken at once', () => {
  it.each(['falloc', 'full'] as const)('is looked for before anything is made: %s', async (preallocation) => {
    const { root, basePath, path, tools, runner } = await setUp();
    const request = { basePath, virtualSizeBytes: 2 ** 52, kind: 'overlay', preallocation } as const;
    const error = await launchErrorOf(createRootDisk(root, path, request, tools));
    expect(error.code).toBe('DISK_FULL');
    expect(error.message).toContain('it needs 4 PiB');
    expect(runner.calls).toEqual([]);
  });

  it('is taken by fallocate for a copy', async () => {
    const { root, basePath, path, tools, runner } = await setUp();
    const request = { basePath, virtualSizeBytes: 4096, kind: 'copy', preallocation: 'falloc' } as const;
    await createRootDisk(root, path, request, tools);
    expect(runner.commandLines.at(-1)).toEqual(['fallocate', '--length', '4096', path]);
  });

  it.each([
    ['fallocate: fallocate failed: No space left on device', 'DISK_FULL'],
    ['fallocate: fallocate failed: Operation not supported', 'COMMAND_FAILED'],
  ])('fails with a reason: %s', async (stderr, code) => {
    const { root, basePath, path, tools } = await setUp(async ({ file }) =>
      file === 'fallocate' ? { exitCode: 1, stderr } : undefined,
    );
    const request = { basePath, virtualSizeBytes: 4096, kind: 'copy', preallocation: 'falloc' } as const;
    const error = await launchErrorOf(createRootDisk(root, path, request, tools));
    expect(error.code).toBe(code);
    expect(error.message).toContain('fallocate failed');
  });
});
