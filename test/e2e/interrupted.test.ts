import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  createE2eHost,
  eventually,
  processesNaming,
  requireTinyImage,
  tinyImage,
  type E2eHost,
} from '../support/e2e-host.js';
import { createRandom } from '../support/random.js';

const launchArguments = ['tiny', '--flavor', 'm1.tiny', '--memory', '96', '--virt-type', 'qemu'];

describe('invariant 5: a launch that is interrupted', () => {
  let host: E2eHost;

  beforeAll(async () => {
    await requireTinyImage();
    host = await createE2eHost();
    await host.launchJson(['image', 'import', tinyImage, '--name', 'tiny']);
    // Once to the end, so that every directory is there.
    await host.launchJson(launchArguments);
    await host.launch(['delete', '--all', '--yes']);
    await host.launch(['image', 'remove', 'tiny']);
    await host.launchJson(['image', 'import', tinyImage, '--name', 'tiny']);
  });
  afterAll(() => host.dispose());

  /** Nothing half made: no domain, no instance, no temporary name, no lock but the image's, no process. */
  const expectClean = async () => {
    expect(await host.domainNames()).toEqual([]);
    expect((await readdir(join(host.home, 'instances'))).filter((name) => name !== '_base')).toEqual([
      'counter.json',
    ]);
    const bases = await readdir(join(host.home, 'instances', '_base')).catch(() => []);
    expect(bases.filter((name) => name.includes('.tmp'))).toEqual([]);
    const locks = await readdir(join(host.home, 'locks'));
    expect(locks.filter((name) => !name.startsWith('image-'))).toEqual([]);
    await eventually('no process is left', async () =>
      (await processesNaming(host.home)).length === 0 ? true : undefined,
    );
  };

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'by %s undoes what it did, at any moment',
    async (signal) => {
      for (const delayMs of [150, 400, 700, 1000, 1400]) {
        const run = host.spawn([...launchArguments, '--wait', 'console=never printed']);
        await sleep(delayMs);
        run.kill(signal);
        const result = await run;
        // Before its handlers are set, a process ends by the signal itself: then it has done nothing either.
        if (result.signal === undefined) expect(result.exitCode, result.stderr).toBe(130);
        await expectClean();
      }
    },
  );

  it('by SIGKILL at random moments is cleared by the next command, which says so', async () => {
    const random = createRandom(20120301);
    let cleared = 0;
    for (let round = 0; round < 15; round += 1) {
      // Without a base every third time, so that conversions are hit too.
      if (round % 3 === 0) {
        await host.launch(['image', 'remove', 'tiny']);
        await host.launchJson(['image', 'import', tinyImage, '--name', 'tiny']);
      }
      const run = host.spawn([...launchArguments, '--wait', 'console=never printed']);
      await sleep(300 + Math.floor(random() * 1100));
      run.kill('SIGKILL');
      await run;
      const next = await host.launch(['list']);
      expect(next.exitCode, next.stderr).toBe(0);
      if (next.stderr.includes('cleared what an interrupted command left')) cleared += 1;
      // A launch that was only waiting was done: its instance is whole.
      await host.launch(['delete', '--all', '--yes']);
      await expectClean();
      const { exitCode } = await host.launch(['image', 'verify', 'tiny']);
      expect(exitCode).toBe(0);
    }
    expect(cleared).toBeGreaterThan(0);
  });

  it('does not keep the next launch from working', async () => {
    const { exitCode, stderr } = await host.launch([
      ...launchArguments,
      ...['--wait', 'console=^tiny ready', '--timeout', '5m'],
    ]);
    expect(exitCode, stderr).toBe(0);
    await host.launch(['delete', '--all', '--yes']);
    await expectClean();
  });
});
