import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createE2eHost, requireTinyImage, tinyImage, virsh, type E2eHost } from '../../support/e2e-host.js';

const count = 12;

describe('invariant 3: twelve launches at once on an image without a base', () => {
  let host: E2eHost;
  let commandLog: string;

  beforeAll(async () => {
    await requireTinyImage();
    host = await createE2eHost();
    await host.launchJson(['image', 'import', tinyImage, '--name', 'tiny']);
    commandLog = join(host.home, 'commands.log');
  });
  afterAll(() => host.dispose());

  it('convert once, and start twelve guests under twelve names', async () => {
    const path = `${await shimQemuImg(host, commandLog)}:${process.env['PATH'] ?? ''}`;
    const runs = await Promise.all(
      Array.from({ length: count }, () =>
        host.spawn(
          ['tiny', '--flavor', 'm1.tiny', '--memory', '96', '--virt-type', 'qemu', '--format', 'json'],
          {
            PATH: path,
          },
        ),
      ),
    );
    for (const run of runs) expect(run.exitCode, run.stderr).toBe(0);
    const launched = runs.map(
      (run) => JSON.parse(run.stdout) as { domainName: string; uuid: string; baseOrigin: string },
    );
    expect(new Set(launched.map((one) => one.domainName)).size).toBe(count);
    expect(new Set(launched.map((one) => one.uuid)).size).toBe(count);
    const commands = (await readFile(commandLog, 'utf8')).split('\n');
    expect(commands.filter((line) => line.startsWith('convert '))).toHaveLength(1);
    expect(launched.filter((one) => one.baseOrigin === 'converted')).toHaveLength(1);
    expect(await host.domainNames()).toEqual(launched.map((one) => one.domainName).sort());
    const running = (await virsh('list', '--name')).split('\n');
    expect(launched.filter((one) => !running.includes(one.domainName))).toEqual([]);
  });

  it('are twelve on one base, as inspect shows', async () => {
    const [first, ...others] = await host.domainNames();
    const inspection = (await host.launchJson(['inspect', first ?? ''])) as {
      disks: { chain: { sharedWith: string[] }[] }[];
    };
    expect(inspection.disks[0]?.chain[1]?.sharedWith).toEqual(others);
  });

  it('are deleted together', async () => {
    const { exitCode, stdout } = await host.launch(['delete', '--all', '--yes']);
    expect(exitCode).toBe(0);
    expect(stdout.trim().split('\n')).toHaveLength(count);
    expect(await host.domainNames()).toEqual([]);
  });
});

/** A qemu-img first in the PATH that notes its arguments and hands over to the real one. */
async function shimQemuImg(host: E2eHost, log: string): Promise<string> {
  const real = (await execa('sh', ['-c', 'command -v qemu-img'])).stdout.trim();
  const directory = join(host.home, 'bin');
  await mkdir(directory);
  const shim = join(directory, 'qemu-img');
  await writeFile(shim, `#!/bin/sh\nprintf '%s\\n' "$*" >> '${log}'\nexec '${real}' "$@"\n`);
  await chmod(shim, 0o755);
  return directory;
}
