import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { readBackingChain } from '../../../src/disk/backing-chain.js';
import { QemuImg } from '../../../src/qemu-img/qemu-img.js';
import { ScriptedRunner } from '../../support/scripted-runner.js';
import { launchErrorOf } from '../host/launch-error-of.js';
import { newHome } from '../host/new-home.js';

/** A qemu-img that knows files by their paths, and says the format that it was given. */
function qemuImgOf(files: Readonly<Record<string, { backing?: string; backingFormat?: string }>>) {
  const runner = new ScriptedRunner(({ args }) => {
    const path = args.at(-1) ?? '';
    const file = files[path];
    if (file === undefined) return { exitCode: 1, stderr: `qemu-img: Could not open '${path}'` };
    const words = {
      format: args[args.indexOf('-f') + 1],
      'virtual-size': 1024,
      ...(file.backing === undefined ? {} : { 'full-backing-filename': file.backing }),
      ...(file.backingFormat === undefined ? {} : { 'backing-filename-format': file.backingFormat }),
    };
    return { stdout: JSON.stringify(words) };
  });
  return { runner, qemuImg: new QemuImg(runner) };
}

async function filesIn(...names: readonly string[]): Promise<readonly string[]> {
  const { root } = await newHome();
  const paths = names.map((name) => join(root, name));
  for (const path of paths) await writeFile(path, 'not a header of any format'.padEnd(1024));
  return paths;
}

describe('invariant 4: each file of a chain is read as what was written down for it', () => {
  it('follows an overlay to its base, without ever asking for a format', async () => {
    const [disk = '', base = ''] = await filesIn('disk', 'base');
    const { qemuImg, runner } = qemuImgOf({ [disk]: { backing: base, backingFormat: 'raw' }, [base]: {} });
    const links = await readBackingChain({ path: disk, format: 'qcow2' }, qemuImg);
    expect(links.map(({ path, format, problem }) => ({ path, format, problem }))).toEqual([
      { path: disk, format: 'qcow2', problem: undefined },
      { path: base, format: 'raw', problem: undefined },
    ]);
    for (const { args } of runner.calls) expect(args).toContain('-f');
  });

  it('reads a raw base as raw though a guest wrote the header of a qcow2 into it', async () => {
    const [disk = '', base = ''] = await filesIn('disk', 'base');
    const header = Buffer.alloc(65536);
    header.writeUInt32BE(0x514649fb, 0);
    header.writeUInt32BE(3, 4);
    await writeFile(base, header);
    const { qemuImg, runner } = qemuImgOf({ [disk]: { backing: base, backingFormat: 'raw' }, [base]: {} });
    await readBackingChain({ path: disk, format: 'qcow2' }, qemuImg);
    expect(runner.calls[1]?.args.slice(-3)).toEqual(['-f', 'raw', base]);
  });
});

describe('a chain that is broken', () => {
  it('ends where a file cannot be read, with the reason', async () => {
    const [disk = ''] = await filesIn('disk');
    const gone = join(disk, '..', 'gone');
    const { qemuImg } = qemuImgOf({ [disk]: { backing: gone, backingFormat: 'raw' } });
    const links = await readBackingChain({ path: disk, format: 'qcow2' }, qemuImg);
    expect(links).toHaveLength(2);
    expect(links[1]).toMatchObject({ path: gone, format: 'raw' });
    expect(links[1]?.problem).toBeTypeOf('string');
  });

  it('ends where it goes in a circle', async () => {
    const [one = '', two = ''] = await filesIn('one', 'two');
    const { qemuImg } = qemuImgOf({
      [one]: { backing: two, backingFormat: 'qcow2' },
      [two]: { backing: one, backingFormat: 'qcow2' },
    });
    const links = await readBackingChain({ path: one, format: 'qcow2' }, qemuImg);
    expect(links.map(({ problem }) => problem)).toEqual([undefined, undefined, 'the chain does not end']);
  });

  it('names what is no local file, and does not open it', async () => {
    const [disk = ''] = await filesIn('disk');
    const { qemuImg, runner } = qemuImgOf({ [disk]: { backing: 'nbd://host/export', backingFormat: 'raw' } });
    const links = await readBackingChain({ path: disk, format: 'qcow2' }, qemuImg);
    expect(links[1]).toMatchObject({ path: 'nbd://host/export', problem: 'it is not a local file' });
    expect(runner.calls).toHaveLength(1);
  });

  it('is not swallowed when the end was asked for', async () => {
    const [disk = ''] = await filesIn('disk');
    const { qemuImg } = qemuImgOf({ [disk]: {} });
    const work = { signal: AbortSignal.abort() };
    const error = await launchErrorOf(readBackingChain({ path: disk, format: 'raw' }, qemuImg, work));
    expect(error.code).toBe('INTERRUPTED');
  });
});
