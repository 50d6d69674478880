import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  createE2eHost,
  eventually,
  listTree,
  processesNaming,
  requireTinyImage,
  tinyImage,
  typeAtConsole,
  virsh,
  type E2eHost,
} from '../support/e2e-host.js';

interface Launched {
  readonly domainName: string;
  readonly uuid: string;
  readonly diskPath: string;
  readonly basePath: string;
  readonly consoleLine: string;
}

describe('a guest that boots, writes, stops, starts and is deleted', () => {
  let host: E2eHost;
  let guest: Launched;
  let baseDigest: string;

  beforeAll(async () => {
    await requireTinyImage();
    host = await createE2eHost();
    await host.launchJson(['image', 'import', tinyImage, '--name', 'tiny']);
    guest = (await host.launchJson([
      ...['tiny', '--flavor', 'm1.tiny', '--memory', '192', '--name', 'life', '--virt-type', 'qemu'],
      ...['--wait', 'console=^tiny ready', '--timeout', '5m'],
    ])) as Launched;
    baseDigest = await sha256(guest.basePath);
  });
  afterAll(() => host.dispose());

  const waitForConsole = async (pattern: RegExp) =>
    await eventually(`the console prints ${pattern}`, async () => {
      const { stdout } = await host.launch(['log', 'life']);
      return pattern.exec(stdout) ?? undefined;
    });
  const type = async (line: string, expected: RegExp) => {
    await typeAtConsole(host, 'life', line, expected);
  };
  const readyCount = async () =>
    (await host.launch(['log', 'life'])).stdout.split('\n').filter((line) => line.startsWith('tiny ready'))
      .length;

  it('has waited for the line on the console', () => {
    expect(guest.consoleLine).toBe('tiny ready');
  });

  it('sees the disk in the size of the flavor', async () => {
    expect((await waitForConsole(/^tiny: hostname=.* vda=(\d+)/m))[1]).toBe(`${1024 ** 3}`);
  });

  it('got an address, which the list shows', async () => {
    const address = (await waitForConsole(/^tiny: hostname=\S+ ip=([0-9.]+)/m))[1];
    expect((await host.launch(['list'])).stdout).toContain(`| default=${address} `);
  });

  it('writes a file', async () => {
    // A shell echoes what is typed, so the answer is spelt in two halves.
    await type("echo kept-over-the-restart > /state/proof; sync; echo written''-down", /written-down/);
  });

  it('is seen alike by launch inspect and by the real tools, while it runs', async () => {
    const inspection = (await host.launchJson(['inspect', 'life'])) as {
      domain: { name: string; uuid: string; state: string };
      machineType: string;
      disks: {
        target: string;
        source: string;
        driverType: string;
        overlap: { writtenOverBytes: number; baseDataBytes: number };
        chain: { path: string; format: string; virtualSizeBytes: number; clusterSizeBytes?: number }[];
      }[];
    };
    const [disk] = inspection.disks;
    expect((await virsh('domblklist', guest.domainName)).trim().split(/\s+/)).toEqual(
      inspection.disks.flatMap(({ target, source }) => [target, source]),
    );
    expect(inspection.disks[1]).toMatchObject({
      ...{ target: 'vdb', source: `${guest.diskPath}.seed`, driverType: 'raw', driverTypeMatches: true },
    });
    const xml = await virsh('dumpxml', guest.domainName);
    expect(xml).toContain(`<uuid>${inspection.domain.uuid}</uuid>`);
    expect(xml).toContain(`machine='${inspection.machineType}'`);
    expect(xml).toMatch(new RegExp(`<driver name='qemu' type='${disk?.driverType ?? ''}'`));
    const chain = JSON.parse(
      (await execa('qemu-img', ['info', '-U', '--backing-chain', '--output=json', guest.diskPath])).stdout,
    ) as { filename: string; format: string; 'virtual-size': number; 'cluster-size'?: number }[];
    expect(
      disk?.chain.map((link) => [link.path, link.format, link.virtualSizeBytes, link.clusterSizeBytes]),
    ).toEqual(chain.map((link) => [link.filename, link.format, link['virtual-size'], link['cluster-size']]));
    expect(disk?.overlap.writtenOverBytes).toBeGreaterThan(0);
    expect(disk?.overlap.writtenOverBytes).toBeLessThan(disk?.overlap.baseDataBytes ?? 0);
  });

  it('is stopped by the power button', async () => {
    const [stopped] = (await host.launchJson(['stop', 'life', '--timeout', '60s'])) as {
      graceful: boolean;
    }[];
    expect(stopped).toMatchObject({ domainName: guest.domainName, domainState: 'shut off', graceful: true });
    expect((await host.launch(['list'])).stdout).toContain('| SHUTOFF |');
  });

  it('leaves a sound overlay and an unchanged base', async () => {
    await execa('qemu-img', ['check', '-f', 'qcow2', guest.diskPath]);
    expect(await sha256(guest.basePath)).toBe(baseDigest);
  });

  it('is started again, and its file is still there', async () => {
    const before = await readyCount();
    expect(before).toBe(1);
    expect((await host.launch(['start', 'life'])).stdout).toBe(`${guest.domainName} started\n`);
    await eventually('the second ready line', async () => ((await readyCount()) === 2 ? true : undefined));
    await type("cat /state/proof; echo read''-back", /kept-over-the-restart\s+read-back/);
  });

  it('keeps what the console said before the restart', async () => {
    const { stdout } = await host.launch(['log', 'life']);
    expect(stdout.match(/boots=\d/g)).toEqual(['boots=1', 'boots=2']);
  });

  it('is paused, resumed, and rebooted by its own hand', async () => {
    expect((await host.launch(['pause', guest.uuid.slice(0, 8)])).stdout).toBe(
      `${guest.domainName} paused\n`,
    );
    expect((await virsh('domstate', guest.domainName)).trim()).toBe('paused');
    expect((await host.launch(['resume', 'life'])).stdout).toBe(`${guest.domainName} resumed\n`);
    expect((await host.launch(['reboot', 'life'])).stdout).toBe(`${guest.domainName} asked to reboot\n`);
    await eventually('the third ready line', async () => ((await readyCount()) === 3 ? true : undefined));
  });

  it('invariant 1: the base has the digest that it was made with', async () => {
    expect(await sha256(guest.basePath)).toBe(baseDigest);
    const inspection = (await host.launchJson(['inspect', '--image', 'tiny'])) as {
      bases: { usedBy: string[] }[];
    };
    expect(inspection.bases[0]?.usedBy).toEqual([guest.domainName]);
  });

  it('invariant 6: keeps its image from being removed', async () => {
    const { exitCode, stderr } = await host.launch(['image', 'remove', 'tiny']);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`its base is used by ${guest.domainName}`);
  });

  it('invariant 5: is deleted without a trace, once and again', async () => {
    expect((await host.launch(['delete', 'life'])).stdout).toBe(`${guest.domainName} deleted\n`);
    expect((await host.launch(['delete', guest.domainName])).stdout).toBe(
      `${guest.domainName} was deleted already\n`,
    );
    expect(await host.domainNames()).toEqual([]);
    expect((await readdir(join(host.home, 'instances'))).sort()).toEqual(['_base', 'counter.json']);
    expect((await readdir(join(host.home, 'locks'))).filter((name) => !name.startsWith('image-'))).toEqual(
      [],
    );
    expect(await processesNaming(host.home)).toEqual([]);
  });

  it('leaves only the record of numbers when its image is removed too', async () => {
    expect((await host.launch(['image', 'remove', 'tiny'])).exitCode).toBe(0);
    expect(await listTree(host.home)).toEqual([
      'images',
      'instances',
      'instances/_base',
      'instances/counter.json',
      'keys',
      'keys/id_ed25519',
      'keys/id_ed25519.pub',
      'locks',
    ]);
  });
});

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
