import { describe, expect, it } from 'vitest';

import { isDiskFormat } from '../../../src/qemu-img/disk-format.js';
import { preallocations, QemuImg } from '../../../src/qemu-img/qemu-img.js';
import { ScriptedRunner, type Answer, type RecordedCall } from '../../support/scripted-runner.js';
import { launchErrorOf } from '../host/launch-error-of.js';

function scripted(...answers: readonly Answer[]) {
  const runner = new ScriptedRunner(answers);
  return { runner, qemuImg: new QemuImg(runner) };
}

function json(value: unknown): Answer {
  return { stdout: JSON.stringify(value, undefined, 4) };
}

const plain = json({ format: 'raw', 'virtual-size': 1024 });

describe('invariant 4: qemu-img never probes a format', () => {
  it('gets -f, and where it writes -O or a backing format, in every call', async () => {
    const { runner, qemuImg } = scripted(plain, json([]), {}, {}, {});
    await qemuImg.inspect('/d/disk', 'qcow2');
    await qemuImg.map('/d/disk', 'qcow2');
    await qemuImg.check('/d/disk', 'vmdk');
    await qemuImg.convert({ path: '/i/image', format: 'vdi' }, { path: '/b/base', format: 'raw' });
    await qemuImg.createOverlay('/d/disk', {
      basePath: '/b/base',
      baseFormat: 'raw',
      virtualSizeBytes: 1024,
    });
    expect(runner.commandLines).toEqual([
      ['qemu-img', 'info', '--output=json', '--force-share', '-f', 'qcow2', '/d/disk'],
      ['qemu-img', 'map', '--output=json', '--force-share', '-f', 'qcow2', '/d/disk'],
      ['qemu-img', 'check', '-q', '--force-share', '-f', 'vmdk', '/d/disk'],
      ['qemu-img', 'convert', '-p', '-f', 'vdi', '-O', 'raw', '-m', '16', '-W', '/i/image', '/b/base'],
      // prettier-ignore
      ['qemu-img', 'create', '-q', '-f', 'qcow2', '-o', 'backing_file=/b/base,backing_fmt=raw,extended_l2=on', '/d/disk', '1024'],
    ]);
  });

  it.each(preallocations)('gets the backing format with preallocation=%s too', async (preallocation) => {
    const { runner, qemuImg } = scripted({});
    await qemuImg.createOverlay('/d/disk', {
      basePath: '/b/base',
      baseFormat: 'raw',
      virtualSizeBytes: 21474836480,
      preallocation,
    });
    expect(runner.calls[0]?.args.slice(4)).toEqual([
      '-o',
      `backing_file=/b/base,backing_fmt=raw,extended_l2=on,preallocation=${preallocation}`,
      '/d/disk',
      '21474836480',
    ]);
  });
});

describe('an overlay has clusters whose tables are cached', () => {
  const gib = 2 ** 30;
  it.each([
    [128 * gib, 'extended_l2=on'],
    [128 * gib + 512, 'extended_l2=on,cluster_size=128k'],
    [160 * gib, 'extended_l2=on,cluster_size=128k'],
  ])('of %i bytes: %s', async (virtualSizeBytes, layout) => {
    const { runner, qemuImg } = scripted({});
    await qemuImg.createOverlay('/d/disk', { basePath: '/b/base', baseFormat: 'raw', virtualSizeBytes });
    expect(runner.calls[0]?.args[5]).toBe(`backing_file=/b/base,backing_fmt=raw,${layout}`);
  });
});

describe('an overlay has subclusters where QEMU knows them', () => {
  const overlay = { basePath: '/b/base', baseFormat: 'raw', virtualSizeBytes: 1024 };
  // QEMU 5.1's words.
  const refused: Answer = {
    exitCode: 1,
    stderr: "qemu-img: /d/disk: Invalid parameter 'extended_l2'\n",
  };
  const creationOf = (call: RecordedCall | undefined) => call?.args[5];
  const [plain, subclusters] = ['backing_file=/b/base,backing_fmt=raw', 'extended_l2=on'];

  it('is made without them by a QEMU that does not, which is asked once', async () => {
    const { runner, qemuImg } = scripted(refused, {}, {});
    await qemuImg.createOverlay('/d/disk', overlay);
    await qemuImg.createOverlay('/d/disk', overlay);
    expect(runner.calls.map(creationOf)).toEqual([`${plain},${subclusters}`, plain, plain]);
  });

  it('fails for any other reason at once', async () => {
    const { runner, qemuImg } = scripted({
      exitCode: 1,
      stderr: "qemu-img: /d/extended_l2: Could not create '/d/extended_l2': Permission denied\n",
    });
    const error = await launchErrorOf(qemuImg.createOverlay('/d/extended_l2', overlay));
    expect(error.code).toBe('COMMAND_FAILED');
    expect(runner.calls).toHaveLength(1);
  });

  it('is not made when its space cannot be taken without them', async () => {
    const { runner, qemuImg } = scripted(refused);
    await launchErrorOf(qemuImg.createOverlay('/d/disk', { ...overlay, preallocation: 'metadata' }));
    expect(runner.calls).toHaveLength(1);
  });
});

describe('invariant 7: a path stays a path', () => {
  it.each(['-x', '--output=human', 'nbd://host/export', 'json:{"driver":"file"}', 'fat:rw:/', 'disk'])(
    'is no option and no protocol: %j',
    async (path) => {
      const { runner, qemuImg } = scripted(plain, json([]), {}, {}, {});
      await qemuImg.inspect(path, 'raw');
      await qemuImg.map(path, 'raw');
      await qemuImg.check(path, 'raw');
      await qemuImg.convert({ path, format: 'raw' }, { path, format: 'raw' });
      await qemuImg.createOverlay(path, { basePath: '/b', baseFormat: 'raw', virtualSizeBytes: 1 });
      const given = runner.calls.flatMap(({ args }) => args.filter((arg) => arg.endsWith(path)));
      expect(given).toEqual(Array(6).fill(`./${path}`));
    },
  );

  it('has its commas doubled in a list of options', async () => {
    const { runner, qemuImg } = scripted({});
    await qemuImg.createOverlay('/d,1/disk', {
      basePath: '/home/a,encryption=on,,b/base',
      baseFormat: 'raw',
      virtualSizeBytes: 1024,
    });
    expect(runner.calls[0]?.args).toContain(
      'backing_file=/home/a,,encryption=on,,,,b/base,backing_fmt=raw,extended_l2=on',
    );
    expect(runner.calls[0]?.args).toContain('/d,1/disk');
  });
});

describe('invariant 8: a stranger’s image is read under limits', () => {
  it('has limits of time, processor and memory in info, map and check', async () => {
    const { runner, qemuImg } = scripted(plain, json([]), {});
    const { signal } = new AbortController();
    await qemuImg.inspect('/i', 'qcow2', { signal });
    await qemuImg.map('/i', 'qcow2', { signal });
    await qemuImg.check('/i', 'qcow2', { signal });
    for (const { options } of runner.calls) {
      expect(options.timeoutMs).toBeLessThanOrEqual(60_000);
      expect(options.maximumCpuSeconds).toBeLessThanOrEqual(30);
      expect(options.maximumMemoryBytes).toBeLessThanOrEqual(2 * 1024 ** 3);
      expect(options.signal).toBe(signal);
    }
  });

  it('ends with its parent, and has a limit of memory, while it is converted', async () => {
    const { runner, qemuImg } = scripted({});
    await qemuImg.convert({ path: '/i', format: 'qcow2' }, { path: '/b', format: 'raw' });
    expect(runner.calls[0]?.options).toMatchObject({
      dieWithParent: true,
      maximumMemoryBytes: 2 * 1024 ** 3,
    });
  });
});

describe('inspect', () => {
  it('reads an overlay', async () => {
    const { qemuImg } = scripted(
      json({
        children: [{ name: 'file', info: { 'virtual-size': 7, format: 'file' } }],
        'backing-filename-format': 'raw',
        'virtual-size': 21474836480,
        filename: 'disk',
        'cluster-size': 65536,
        format: 'qcow2',
        'actual-size': 7479296,
        'format-specific': { type: 'qcow2', data: { compat: '1.1', 'extended-l2': true } },
        'full-backing-filename': '/i/_base/06a0_20',
        'backing-filename': '../_base/06a0_20',
        'dirty-flag': false,
      }),
    );
    expect(await qemuImg.inspect('/i/disk', 'qcow2')).toEqual({
      path: '/i/disk',
      format: 'qcow2',
      virtualSizeBytes: 21474836480,
      allocatedBytes: 7479296,
      clusterSizeBytes: 65536,
      extendedL2: true,
      encrypted: false,
      backingPath: '/i/_base/06a0_20',
      backingFormat: 'raw',
    });
  });

  it('reads the little that a raw file says', async () => {
    const { qemuImg } = scripted(plain);
    expect(await qemuImg.inspect('/b', 'raw')).toEqual({
      path: '/b',
      format: 'raw',
      virtualSizeBytes: 1024,
      allocatedBytes: 0,
      clusterSizeBytes: undefined,
      extendedL2: false,
      encrypted: false,
      backingPath: undefined,
      backingFormat: undefined,
    });
  });

  it('takes the name as written where an old qemu-img gives no full one', async () => {
    const { qemuImg } = scripted(json({ format: 'qcow2', 'virtual-size': 1, 'backing-filename': '/b' }));
    expect((await qemuImg.inspect('/d', 'qcow2')).backingPath).toBe('/b');
  });
});

describe('map', () => {
  it('reads the extents in order', async () => {
    const { qemuImg } = scripted(
      json([
        { start: 0, length: 65536, depth: 0, present: true, zero: false, data: true, offset: 327680 },
        { start: 65536, length: 131072, depth: 1, present: true, zero: false, data: true, offset: 65536 },
        { start: 196608, length: 65536, depth: 1, zero: true, data: false },
      ]),
    );
    expect(await qemuImg.map('/d', 'qcow2')).toEqual([
      { startBytes: 0, lengthBytes: 65536, depth: 0, zero: false, data: true, offsetBytes: 327680 },
      { startBytes: 65536, lengthBytes: 131072, depth: 1, zero: false, data: true, offsetBytes: 65536 },
      { startBytes: 196608, lengthBytes: 65536, depth: 1, zero: true, data: false },
    ]);
  });
});

describe('check', () => {
  it.each([
    [0, 'clean'],
    [3, 'clusters that nothing refers to'],
    [63, 'a format without a check'],
  ])('passes exit code %d: %s', async (exitCode) => {
    const { qemuImg } = scripted({ exitCode, stderr: 'qemu-img: something' });
    await qemuImg.check('/i', 'qcow2');
  });

  it.each([1, 2, 4, 128])('refuses exit code %d', async (exitCode) => {
    const { qemuImg } = scripted({
      exitCode,
      stderr: 'ERROR cluster 5 refcount=0 reference=1\nqemu-img: Check failed: Invalid argument\n',
    });
    const error = await launchErrorOf(qemuImg.check('/i', 'qcow2'));
    expect(error.code).toBe('IMAGE_CORRUPT');
    expect(error.message).toBe('"/i" is damaged: Check failed: Invalid argument');
    expect(error.details).toMatchObject({ exitCode });
  });
});

describe('failures', () => {
  it.each([
    ['convert', 'qemu-img: error while writing at byte 1048576: No space left on device'],
    ['convert', 'qemu-img: error while writing sector 4096: Disk quota exceeded'],
  ])('invariant 10: a full disk is DISK_FULL while %sing: %s', async (_action, stderr) => {
    const { qemuImg } = scripted({ exitCode: 1, stderr: `${stderr}\n` });
    const error = await launchErrorOf(
      qemuImg.convert({ path: '/i', format: 'qcow2' }, { path: '/b', format: 'raw' }),
    );
    expect(error.code).toBe('DISK_FULL');
    expect(error.message).toContain('cannot convert "/i": qemu-img says: error while writing');
  });

  it('carry the command, its exit code and its words', async () => {
    const stderr = 'qemu-img: Could not open \'/d\': Failed to get shared "write" lock\n';
    const { qemuImg } = scripted({ exitCode: 1, stderr });
    const error = await launchErrorOf(qemuImg.map('/d', 'qcow2'));
    expect(error.code).toBe('COMMAND_FAILED');
    expect(error.message).toBe(
      'cannot map "/d": qemu-img says: Could not open \'/d\': Failed to get shared "write" lock',
    );
    expect(error.details).toEqual({
      command: ['qemu-img', 'map', '--output=json', '--force-share', '-f', 'qcow2', '/d'],
      exitCode: 1,
      stderr,
    });
  });

  it('say the exit code of a command that said nothing', async () => {
    const { qemuImg } = scripted({ exitCode: 128 });
    const error = await launchErrorOf(qemuImg.inspect('/d', 'qcow2'));
    expect(error.message).toBe('cannot inspect "/d": qemu-img says: exit code 128');
  });

  it('are INTERRUPTED when the command ended because the end was asked for', async () => {
    const controller = new AbortController();
    const runner = new ScriptedRunner(() => {
      controller.abort('SIGINT');
      return { exitCode: 143, stderr: 'ended by SIGTERM' };
    });
    const error = await launchErrorOf(
      new QemuImg(runner).convert(
        { path: '/i', format: 'raw' },
        { path: '/b', format: 'raw' },
        { signal: controller.signal },
      ),
    );
    expect(error.code).toBe('INTERRUPTED');
  });
});

describe('the progress of a conversion', () => {
  async function ratiosOf(...pieces: readonly string[]): Promise<readonly number[]> {
    const { qemuImg } = scripted({ pieces });
    const ratios: number[] = [];
    await qemuImg.convert(
      { path: '/i', format: 'qcow2' },
      { path: '/b', format: 'raw' },
      { onRatio: (ratio) => ratios.push(ratio) },
    );
    return ratios;
  }

  it('is read from whole lines', async () => {
    expect(await ratiosOf('    (0.00/100%)\r', '    (12.50/100%)\r', '    (100.00/100%)\r\n')).toEqual([
      0, 0.125, 1,
    ]);
  });

  it('is read from pieces of any length', async () => {
    const printed = '    (0.00/100%)\r    (50.00/100%)\r    (75.25/100%)\r    (100.00/100%)\r\n';
    expect(await ratiosOf(...Array.from(printed))).toEqual([0, 0.5, 0.7525, 1]);
    for (let cut = 1; cut < printed.length; cut += 1) {
      expect((await ratiosOf(printed.slice(0, cut), printed.slice(cut))).at(-1)).toBe(1);
    }
  });

  it('tells only the last of a piece with many', async () => {
    expect(await ratiosOf('    (1.00/100%)\r    (2.00/100%)\r    (3.')).toEqual([0.02]);
  });

  it('says nothing of what is no progress', async () => {
    expect(await ratiosOf('qemu-img: warning (50%)\n', '(x/100%)')).toEqual([]);
  });
});

describe('isDiskFormat', () => {
  it('knows the formats that are imported, and no other', () => {
    for (const format of ['raw', 'qcow2', 'vmdk', 'vdi', 'vpc', 'vhdx'])
      expect(isDiskFormat(format)).toBe(true);
    for (const text of ['json', 'table', 'qcow', 'RAW', '', 'host_device', 'toString'])
      expect(isDiskFormat(text)).toBe(false);
  });
});
