import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Benchmark, BenchmarkOptions, Comparison } from './benchmark.js';
import { gib, makeBase, makeOverlay, mib, run } from './disks.js';
import { measureInTurn, type Contender } from './measure.js';

const virtualSizeBytes = gib;
/** The disk of m1.xlarge: its tables, 40 MiB with subclusters, are more than QEMU keeps by default. */
const largeSizeBytes = 160 * gib;
const dataBytes = 512 * mib;

/** Every 33rd block of 4 KiB: each in a cluster of its own up to 128 KiB. */
const scattered = ['-s', '4096', '-S', `${33 * 4096}`, '-d', '16'];

interface Workload {
  readonly name: string;
  readonly args: readonly string[];
  /** On an overlay that nothing was written to yet. */
  readonly fresh: boolean;
}

/** In this order; the second writes go where the first went. */
const workloads: readonly Workload[] = [
  { name: 'first writes over data', args: ['-w', '-c', '3000', ...scattered], fresh: true },
  { name: 'second writes', args: ['-w', '-c', '3000', ...scattered], fresh: false },
  {
    name: 'first writes in a hole',
    args: ['-w', '-c', '3000', '-o', `${dataBytes}`, ...scattered],
    fresh: true,
  },
  { name: 'sequential reads', args: ['-c', '4096', '-s', '131072', '-d', '4'], fresh: true },
  // A stride of 0.618 of the disk, which qemu-img counts on from the beginning, visits it evenly.
  {
    name: 'random reads',
    args: ['-c', '8000', '-s', '4096', '-S', `${162_011 * 4096}`, '-d', '16'],
    fresh: false,
  },
];

/** All over the large disk, by the longest odd stride that qemu-img takes; what is read was written before. */
const spread = ['-c', '20000', '-s', '4096', '-S', `${524_221 * 4096}`, '-d', '16'];
const largeWorkloads: readonly Workload[] = [
  { name: 'first writes', args: ['-w', ...spread], fresh: true },
  { name: 'second writes', args: ['-w', ...spread], fresh: false },
  { name: 'reads', args: spread, fresh: false },
];

interface OverlayContender {
  readonly name: string;
  /** `qemu-img create -o`; undefined for a raw copy of the base. */
  readonly creation: string | undefined;
  readonly cache?: string;
  readonly aio?: string;
  /** QEMU's `l2-cache-size`, by default 32 MiB. */
  readonly tableCache?: string;
}

interface Setting {
  readonly basePath: string;
  readonly virtualSizeBytes: number;
  readonly workloads: readonly Workload[];
  readonly contenders: readonly OverlayContender[];
  readonly reference: string;
}

const novas = 'as Nova makes it';

const layouts: readonly OverlayContender[] = [
  { name: novas, creation: '' },
  { name: 'extended_l2', creation: 'extended_l2=on' },
  { name: 'extended_l2, clusters of 128k', creation: 'extended_l2=on,cluster_size=128k' },
  { name: 'clusters of 16k', creation: 'cluster_size=16k' },
  { name: 'clusters of 256k', creation: 'cluster_size=256k' },
  { name: 'clusters of 2M', creation: 'cluster_size=2M' },
  { name: 'lazy_refcounts', creation: 'lazy_refcounts=on' },
  { name: 'extended_l2, lazy_refcounts', creation: 'extended_l2=on,lazy_refcounts=on' },
  { name: 'preallocation=metadata', creation: 'extended_l2=on,preallocation=metadata' },
  { name: 'a raw copy', creation: undefined },
];

const threads = 'none, threads';

const modes: readonly OverlayContender[] = [
  { name: threads, creation: 'extended_l2=on', cache: 'none', aio: 'threads' },
  { name: 'none, native', creation: 'extended_l2=on', cache: 'none', aio: 'native' },
  { name: 'none, io_uring', creation: 'extended_l2=on', cache: 'none', aio: 'io_uring' },
  { name: 'writeback, threads', creation: 'extended_l2=on', cache: 'writeback', aio: 'threads' },
  { name: 'writeback, io_uring', creation: 'extended_l2=on', cache: 'writeback', aio: 'io_uring' },
];

const usualCache = '32 MiB, the default';

const tableCaches: readonly OverlayContender[] = [
  { name: usualCache, creation: 'extended_l2=on' },
  { name: '1 MiB', creation: 'extended_l2=on', tableCache: '1M' },
  { name: '8 MiB', creation: 'extended_l2=on', tableCache: '8M' },
  { name: '64 MiB', creation: 'extended_l2=on', tableCache: '64M' },
  { name: '32 MiB, clusters of 128k', creation: 'extended_l2=on,cluster_size=128k' },
  { name: '32 MiB, as Nova makes it', creation: '' },
];

async function bench(
  path: string,
  contender: OverlayContender,
  args: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const format = contender.creation === undefined ? 'raw' : 'qcow2';
  const mode = ['-t', contender.cache ?? 'none', '-i', contender.aio ?? 'threads'];
  const { tableCache } = contender;
  const disk =
    tableCache === undefined
      ? ['-f', format, path]
      : ['--image-opts', `driver=qcow2,l2-cache-size=${tableCache},file.driver=file,file.filename=${path}`];
  const said = await run(signal, 'qemu-img', 'bench', ...mode, ...args, ...disk);
  const seconds = /Run completed in ([\d.]+) seconds/.exec(said)?.[1];
  if (seconds === undefined) throw new Error(`qemu-img bench says ${JSON.stringify(said)}`);
  return Number(seconds);
}

function contenderOf(
  contender: OverlayContender,
  { basePath, virtualSizeBytes: sizeBytes, workloads: todo }: Setting,
  { directory, signal }: BenchmarkOptions,
): Contender {
  const path = join(directory, 'disk');
  return {
    name: contender.name,
    measure: async () => {
      const sample: Record<string, number> = {};
      for (const workload of todo) {
        if (workload.fresh) {
          await rm(path, { force: true });
          if (contender.creation === undefined) {
            await run(signal, 'cp', '--sparse=always', '--reflink=auto', basePath, path);
          } else
            await makeOverlay(path, basePath, {
              creation: contender.creation,
              virtualSizeBytes: sizeBytes,
              signal,
            });
          await run(signal, 'sync', path);
        }
        sample[workload.name] = await bench(path, contender, workload.args, signal);
      }
      await rm(path);
      return sample;
    },
  };
}

async function compare(
  setting: Setting,
  options: BenchmarkOptions,
): Promise<Pick<Comparison, 'results' | 'reference' | 'measures'>> {
  const { rounds = 7, signal, say } = options;
  const { reference } = setting;
  const results = await measureInTurn(
    setting.contenders.map((contender) => contenderOf(contender, setting, options)),
    { rounds, reference, signal, onRun: say },
  );
  return { results, reference, measures: setting.workloads.map(({ name }) => ({ name, unit: 's' })) };
}

export const overlayIo: Benchmark = {
  name: 'overlay-io',
  title: 'Overlays: how they are made, and how they are opened',
  async run(options) {
    const basePath = join(options.directory, 'base');
    options.say('making the base');
    await makeBase(basePath, dataBytes, virtualSizeBytes);
    const largePath = join(options.directory, 'large-base');
    await makeBase(largePath, 0, largeSizeBytes);
    const usual = { basePath, virtualSizeBytes, workloads };
    return [
      {
        id: 'layout',
        title: 'Layouts of the overlay',
        text:
          `\`qemu-img bench\` on an overlay of ${virtualSizeBytes / gib} GiB, on a raw base with ${dataBytes / mib} MiB of data: ` +
          '3000 writes of 4 KiB, each in a cluster of its own, 16 in flight, on a fresh overlay and again in the same places; ' +
          '512 MiB of reads of 128 KiB through to the base; 8000 reads of 4 KiB all over. Cache mode `none`, io mode `threads`, as libvirt has it by default. ' +
          'Seconds, and the ratio to Nova’s overlay in the same round: median (least–most).',
        ...(await compare({ ...usual, contenders: layouts, reference: novas }, options)),
      },
      {
        id: 'mode',
        title: 'Cache and io modes',
        text: 'The same on overlays with `extended_l2=on`, opened in other ways. `writeback` goes through the page cache, which here has room for everything: its writes have not reached the disk.',
        ...(await compare({ ...usual, contenders: modes, reference: threads }, options)),
      },
      {
        id: 'tables',
        title: 'QEMU’s cache of tables, on a disk of 160 GiB',
        text: '20000 writes of 4 KiB all over a fresh overlay with `extended_l2=on`, again in the same places, and as many reads, with clusters of 64 KiB and other sizes of `l2-cache-size`, and with larger clusters. Nova’s overlay and that of larger clusters have tables of half the size.',
        ...(await compare(
          {
            basePath: largePath,
            virtualSizeBytes: largeSizeBytes,
            workloads: largeWorkloads,
            contenders: tableCaches,
            reference: usualCache,
          },
          options,
        )),
      },
    ];
  },
};
