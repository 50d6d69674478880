import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';

import { findEmulator, parseProcess, readEmulator } from '../../../src/host/emulator-process.js';

describe('findEmulator', () => {
  it('finds a process by the uuid on its command line, with its age', async () => {
    const uuid = '5e3f0c9a-1b2c-4d5e-8f90-a1b2c3d4e5f6';
    const child = spawn('sh', ['-c', 'read line', '-uuid', uuid, '-S'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    onTestFinished(() => {
      child.kill();
    });
    await once(child, 'spawn');
    const found = await findEmulator(uuid);
    expect(found?.pid).toBe(child.pid);
    expect(found?.ageMs).toBeLessThan(10_000);
    const again = await readEmulator(child.pid ?? 0);
    expect(again?.ageMs).toBeGreaterThanOrEqual(found?.ageMs ?? 0);
    expect(await findEmulator('00000000-0000-4000-8000-000000000000')).toBeUndefined();
  });
});

describe('parseProcess', () => {
  // proc(5): pid (comm) state ppid … utime stime … starttime
  const stat = `4242 (qemu) (kvm) S 1 ${'0 '.repeat(9)}250 50 0 0 20 0 3 0 10000 0`;

  it('reads times in seconds, whatever the name of the process is', () => {
    expect(parseProcess(4242, stat, '130.50 99.00\n')).toEqual({ pid: 4242, ageMs: 30_500, cpuSeconds: 3 });
  });

  it.each(['', '4242 (qemu) S 1'])('says nothing of %j', (text) => {
    expect(parseProcess(4242, text, '130.50 99.00')).toBeUndefined();
  });
});
