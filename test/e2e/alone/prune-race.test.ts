import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createE2eHost, requireTinyImage, tinyImage, virsh, type E2eHost } from '../../support/e2e-host.js';

const raceMs = 40_000;
const launchArguments = [
  ...['tiny', '--network', 'none', '--memory', '96', '--virt-type', 'qemu', '--flavor', 'm1.tiny'],
];

interface PrunedBase {
  readonly reason: string;
  readonly removed: boolean;
}

interface Launched {
  readonly domainName: string;
  readonly diskPath: string;
  readonly basePath: string;
  readonly baseOrigin: string;
}

describe('invariant 6: prune in a loop, against launches and deletes in a loop', () => {
  let host: E2eHost;

  beforeAll(async () => {
    await requireTinyImage();
    host = await createE2eHost();
    await host.launchJson(['image', 'import', tinyImage, '--name', 'tiny']);
  });

  afterAll(async () => {
    await host.dispose();
  });

  /** The chain is whole, and the guest still runs on it. */
  async function expectWhole({ domainName, diskPath, basePath }: Launched): Promise<void> {
    const state = (await virsh('domstate', domainName)).trim();
    expect(state).toBe('running');
    expect(await readdir(join(host.home, 'instances', '_base'))).toContain(basePath.split('/').at(-1));
    await execa('qemu-img', ['check', '--force-share', '-q', '-f', 'qcow2', diskPath]);
    const map = await execa('qemu-img', ['map', '--force-share', '--output=json', '-f', 'qcow2', diskPath]);
    expect(JSON.parse(map.stdout)).toContainEqual(expect.objectContaining({ depth: 1, data: true }));
  }

  it('no base goes while a guest is on it, and every launch works', async () => {
    const deadline = Date.now() + raceMs;
    const reasons = new Map<string, number>();
    let removed = 0;
    let converted = 0;
    let launches = 0;
    const prune = async (): Promise<void> => {
      while (Date.now() < deadline) {
        const { bases } = (await host.launchJson(['base', 'prune', '--older-than', '0'])) as {
          readonly bases: readonly PrunedBase[];
        };
        for (const base of bases) {
          reasons.set(base.reason, (reasons.get(base.reason) ?? 0) + 1);
          if (base.removed) removed += 1;
        }
      }
    };
    const launchAndDelete = async (flavor: readonly string[]): Promise<void> => {
      while (Date.now() < deadline) {
        const { exitCode, stdout, stderr } = await host.launch([
          ...launchArguments,
          ...flavor,
          '--format=json',
        ]);
        expect(exitCode, stderr).toBe(0);
        const launched = JSON.parse(stdout) as Launched;
        launches += 1;
        if (launched.baseOrigin === 'converted') converted += 1;
        await expectWhole(launched);
        const deleted = await host.launch(['delete', launched.domainName, '--yes']);
        expect(deleted.exitCode, deleted.stderr).toBe(0);
        // As long as a prune takes, every other time: now and then it finds a base that nobody is on.
        if (launches % 2 === 0) await sleep(1000);
      }
    };
    await Promise.all([prune(), launchAndDelete([]), launchAndDelete(['--disk', '2'])]);

    expect(launches).toBeGreaterThan(3);
    expect(reasons.get('used') ?? 0, JSON.stringify([...reasons])).toBeGreaterThan(0);
    expect(removed, JSON.stringify([...reasons])).toBeGreaterThan(0);
    expect(converted).toBeGreaterThan(0);

    // A base that is there at last is what its digest says.
    const last = (await host.launchJson(launchArguments)) as Launched;
    await expectWhole(last);
    const verified = await host.launch(['base', 'verify']);
    expect(verified.exitCode, verified.stdout + verified.stderr).toBe(0);
    await host.launch(['delete', '--all', '--yes']);
    await host.launchJson(['base', 'prune']);
    expect(await readdir(join(host.home, 'instances', '_base'))).toEqual([]);
    expect((await readdir(join(host.home, 'locks'))).filter((name) => !name.startsWith('image-'))).toEqual(
      [],
    );
    expect(await host.domainNames()).toEqual([]);
  });
});
