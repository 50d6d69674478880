import { execa } from 'execa';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureBase } from '../src/disk/ensure-base.js';
import { asMaker } from '../src/host/maker.js';
import { importImageFile } from '../src/instance/images/image-verbs.js';
import { openHost } from '../src/instance/open-host.js';
import type { Benchmark, BenchmarkOptions } from './benchmark.js';
import { gib, mib, run } from './disks.js';
import { measureInTurn, type Contender, type Sample } from './measure.js';

const contentBytes = 480 * mib;
const reference = 'qemu-img convert -m 16 -W';

/** By hand, from simple to quick, and Nova's. */
const options: readonly (readonly [name: string, args: readonly string[]])[] = [
  ['qemu-img convert', []],
  ['qemu-img convert -W', ['-W']],
  ['qemu-img convert -m 4 -W', ['-m', '4', '-W']],
  ['qemu-img convert -m 8 -W', ['-m', '8', '-W']],
  [reference, ['-m', '16', '-W']],
  ['qemu-img convert -t none -m 16 -W', ['-t', 'none', '-m', '16', '-W']],
  ['qemu-img convert -t none, as Nova', ['-t', 'none']],
];

/** A disk with what such disks hold: programs and their files, as this host has them. */
export async function makeSource(path: string, { signal }: BenchmarkOptions): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    const archive = execa('tar', ['--create', '--sort=name', '/usr/lib', '/usr/share', '/usr/bin'], {
      reject: false,
      cancelSignal: signal,
      stdout: 'pipe',
      stderr: 'ignore',
      buffer: false,
    });
    let at = 0;
    for await (const chunk of archive.stdout) {
      const piece = (chunk as Buffer).subarray(0, contentBytes - at);
      await handle.write(piece, 0, piece.length, at);
      at += piece.length;
      if (at >= contentBytes) break;
    }
    archive.kill('SIGKILL');
    await archive;
    // What begins like an archive would be taken for one.
    await handle.write(Buffer.alloc(512), 0, 512, 0);
    await handle.truncate(2 * gib);
  } finally {
    await handle.close();
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}

/** By hand: each image is converted, then synced. */
function byHand(
  name: string,
  args: readonly string[],
  images: readonly Source[],
  { directory, signal }: BenchmarkOptions,
): Contender {
  const target = join(directory, 'by-hand');
  return {
    name,
    measure: async () =>
      await measureEach(images, directory, signal, async ({ path }) => {
        const seconds = await timed(() =>
          run(signal, 'qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', ...args, path, target),
        );
        return { seconds, remove: () => rm(target) };
      }),
  };
}

/** The base stage of a launch, which leaves the base in place, and settled while the guest starts. */
async function theBaseStage(
  images: readonly Source[],
  { directory, signal }: BenchmarkOptions,
): Promise<Contender> {
  const host = openHost({ home: join(directory, 'home'), connect: 'test:///default' });
  const records = new Map<string, Awaited<ReturnType<typeof importImageFile>>>();
  for (const { name, path } of images) {
    records.set(name, await importImageFile(host, { source: { path }, name, format: 'qcow2' }));
  }
  return {
    name: 'the base stage of a launch',
    measure: async () =>
      await measureEach(images, directory, signal, async ({ name }) => {
        const image = records.get(name);
        if (image === undefined) throw new Error(`"${name}" was not imported`);
        const seconds = await timed(() =>
          asMaker(host.home, async (maker) => {
            const how = { maker, now: new Date(), work: { signal }, deferSettling: true };
            await (await ensureBase(host.home, image, 0, host.qemuImg, how)).lock.release();
          }),
        );
        return { seconds, remove: () => rm(host.home.bases, { recursive: true }) };
      }),
  };
}

interface Source {
  readonly name: string;
  readonly path: string;
}

async function measureEach(
  images: readonly Source[],
  directory: string,
  signal: AbortSignal,
  convertOne: (
    image: Source,
  ) => Promise<{ readonly seconds: number; readonly remove: () => Promise<unknown> }>,
): Promise<Sample> {
  const sample: Record<string, number> = {};
  for (const image of images) {
    const { seconds, remove } = await convertOne(image);
    sample[image.name] = seconds;
    sample[`${image.name}, and sync`] =
      seconds + (await timed(() => run(signal, 'sync', '--file-system', directory)));
    await remove();
  }
  return sample;
}

export const convert: Benchmark = {
  name: 'convert',
  title: 'Making a base',
  async run(benchmarkOptions) {
    const { directory, signal, say, rounds = 9 } = benchmarkOptions;
    say('making the images');
    const raw = join(directory, 'content');
    await makeSource(raw, benchmarkOptions);
    const images: readonly Source[] = [
      { name: 'compressed', path: join(directory, 'compressed.qcow2') },
      { name: 'uncompressed', path: join(directory, 'uncompressed.qcow2') },
    ];
    for (const { name, path } of images) {
      const flags = name === 'compressed' ? ['-c', '-m', '16', '-W'] : [];
      await run(signal, 'qemu-img', 'convert', ...flags, '-f', 'raw', '-O', 'qcow2', raw, path);
    }
    await rm(raw);
    const contenders = [
      ...options.map(([name, args]) => byHand(name, args, images, benchmarkOptions)),
      await theBaseStage(images, benchmarkOptions),
    ];
    const results = await measureInTurn(contenders, { rounds, reference, signal, onRun: say });
    return [
      {
        id: 'ways',
        title: 'qcow2 to raw',
        text:
          `A qcow2 of 2 GiB with ${contentBytes / mib} MiB of this host’s own files, once compressed and once not. ` +
          'The base stage asks for the image’s extents, converts, checks, writes the record and renames; it reads the base for its digest and syncs it later, while the guest starts. ' +
          `Seconds, and the ratio to \`${reference}\` in the same round: median (least–most).`,
        reference,
        measures: Object.keys(results[0]?.values ?? {}).map((name) => ({ name, unit: 's' })),
        results,
      },
    ];
  },
};
