import { execa } from 'execa';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chooseVirtType, readKvmFacts } from '../src/instance/virt-type.js';
import type { Benchmark, BenchmarkOptions } from './benchmark.js';
import { gib, makeBase, makeOverlay, mib, run } from './disks.js';
import { rotated, summarize, type Sample } from './measure.js';

const virtualSizeBytes = gib;
const dataBytes = 256 * mib;
const bootTimeoutMs = 600_000;

interface GuestDisk {
  /** Also the disk's serial number, which has room for 20 bytes. */
  readonly name: string;
  readonly creation: string | undefined;
  readonly cache: 'none' | 'writeback';
  readonly aio: 'threads' | 'native' | 'io_uring';
  readonly iothread: boolean;
}

const disk = (name: string, other: Partial<GuestDisk> = {}): GuestDisk => ({
  ...{ creation: 'extended_l2=on', cache: 'none', aio: 'threads', iothread: false },
  ...other,
  name,
});

const reference = 'Nova';

const disks: readonly GuestDisk[] = [
  disk(reference, { creation: '' }),
  disk('extended_l2'),
  disk('native', { aio: 'native' }),
  disk('io_uring', { aio: 'io_uring' }),
  disk('iothread', { iothread: true }),
  disk('native, iothread', { aio: 'native', iothread: true }),
  disk('io_uring, iothread', { aio: 'io_uring', iothread: true }),
  disk('writeback', { cache: 'writeback' }),
  disk('raw copy', { creation: undefined }),
];

/** In the order in which the guest does them. */
const measures = ['first writes', 'second writes', 'sequential reads', '4 KiB reads', '4 KiB writes'];

const writes = 1000;

/**
 * What the guest runs. Scattered writes go into its page cache first, then `sync` sends them out together.
 * The device is held open meanwhile, as its last close would send them out, too.
 */
function renderScript(order: readonly GuestDisk[]): string {
  return `#!/bin/sh
# The writes are to go out when they are told to, not every five seconds.
echo 0 >/proc/sys/vm/dirty_writeback_centisecs
now() { cut -d ' ' -f 1 /proc/uptime; }
measure() {
  name=$1 what=$2 began=$(now)
  shift 2
  "$@" 2>/dev/null
  echo "bench:$name:$what:$began:$(now)"
}
scatter() {
  i=0
  while [ $i -lt ${writes} ]; do
    dd if=/dev/zero of=$device bs=4096 count=1 seek=$((i * 33)) conv=notrunc 2>/dev/null
    i=$((i + 1))
  done
}
while read -r name; do
  device=/dev/$(grep -lxF "$name" /sys/block/vd*/serial | cut -d / -f 4)
  exec 3<>$device
  scatter
  measure "$name" 'first writes' sync
  scatter
  measure "$name" 'second writes' sync
  exec 3>&-
  measure "$name" 'sequential reads' dd if=$device of=/dev/null bs=1M skip=64 count=128 iflag=direct
  measure "$name" '4 KiB reads' dd if=$device of=/dev/null bs=4096 skip=50000 count=3000 iflag=direct
  measure "$name" '4 KiB writes' dd if=/dev/zero of=$device bs=4096 seek=50000 count=3000 oflag=direct conv=notrunc
done <<END
${order.map(({ name }) => name).join('\n')}
END
`;
}

/** Commas are doubled in QEMU's lists of options. */
function quoted(text: string): string {
  return text.replaceAll(',', ',,');
}

function diskArguments(directory: string, one: GuestDisk, index: number): readonly string[] {
  const file = (path: string, prefix: string) =>
    `${prefix}driver=file,${prefix}filename=${quoted(path)},${prefix}aio=${one.aio},${prefix}cache.direct=${one.cache === 'none' ? 'on' : 'off'}`;
  const own = join(directory, `disk${index}`);
  const node = `node-name=d${index},cache.direct=${one.cache === 'none' ? 'on' : 'off'},discard=unmap`;
  return [
    '-blockdev',
    one.creation === undefined
      ? `driver=raw,${node},${file(own, 'file.')}`
      : `driver=qcow2,${node},${file(own, 'file.')},backing.driver=raw,${file(join(directory, 'base'), 'backing.file.')}`,
    ...(one.iothread ? ['-object', `iothread,id=io${index}`] : []),
    '-device',
    `virtio-blk-pci,drive=d${index},serial=${quoted(one.name)}${one.iothread ? `,iothread=io${index}` : ''}`,
  ];
}

/** One boot: every disk fresh, every measure on each of them, one after the other. */
async function bootOnce(
  order: readonly GuestDisk[],
  image: string,
  accelerator: string,
  { directory, signal }: BenchmarkOptions,
): Promise<ReadonlyMap<string, Sample>> {
  for (const [index, { creation }] of disks.entries()) {
    const path = join(directory, `disk${index}`);
    const base = join(directory, 'base');
    await rm(path, { force: true });
    if (creation === undefined) await run(signal, 'cp', '--sparse=always', '--reflink=auto', base, path);
    else await makeOverlay(path, base, { creation, virtualSizeBytes, signal });
  }
  await run(signal, 'sync', ...disks.map((_, index) => join(directory, `disk${index}`)));
  const seed = join(directory, 'seed');
  await mkdir(seed, { recursive: true });
  await writeFile(join(seed, 'meta-data'), 'instance-id: bench\nlocal-hostname: bench\n');
  await writeFile(join(seed, 'user-data'), renderScript(order));
  const serial = join(directory, 'serial');
  await rm(serial, { force: true });
  const args = [
    ...[
      '-nodefaults',
      '-no-user-config',
      '-display',
      'none',
      '-machine',
      `pc,accel=${accelerator}`,
      '-m',
      '256',
    ],
    ...['-serial', `file:${serial}`, '-device', 'virtio-rng-pci'],
    ...['-drive', `if=none,id=boot,format=qcow2,snapshot=on,file=${quoted(image)}`],
    ...['-device', 'virtio-blk-pci,drive=boot,bootindex=1'],
    ...disks.flatMap((one, index) => diskArguments(directory, one, index)),
    ...['-blockdev', `driver=vvfat,node-name=seed,read-only=on,label=CIDATA,dir=${quoted(seed)}`],
    ...['-device', 'virtio-blk-pci,drive=seed'],
  ];
  const guest = execa('qemu-system-x86_64', args, { cancelSignal: signal, reject: false });
  try {
    return await readSamples(serial, guest, signal);
  } finally {
    guest.kill('SIGKILL');
    await guest;
  }
}

async function readSamples(
  serial: string,
  guest: { readonly exitCode: number | null; readonly pid?: number | undefined },
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Sample>> {
  const deadline = Date.now() + bootTimeoutMs;
  for (;;) {
    signal.throwIfAborted();
    const said = await readFile(serial, 'latin1').catch(() => '');
    if (said.includes('tiny: user-data ended')) return parseSamples(said);
    if (guest.exitCode !== null || Date.now() > deadline) {
      throw new Error(`the guest did not come to its end: ${said.slice(-1000)}`);
    }
    await sleep(200);
  }
}

function parseSamples(said: string): ReadonlyMap<string, Sample> {
  const samples = new Map<string, Record<string, number>>();
  for (const [, name = '', measure = '', began, ended] of said.matchAll(
    /^bench:([^:]*):([^:]*):([\d.]+):([\d.]+)/gm,
  )) {
    const sample = samples.get(name) ?? {};
    sample[measure] = Number(ended) - Number(began);
    samples.set(name, sample);
  }
  return samples;
}

export const guestIo: Benchmark = {
  name: 'guest-io',
  title: 'Overlays seen from a guest',
  async run(options) {
    const { directory, say, rounds = 5 } = options;
    const image = fileURLToPath(new URL('../../../.cache/guest-image/tiny.qcow2', import.meta.url));
    const { virtType } = chooseVirtType('auto', await readKvmFacts());
    const accelerator = virtType === 'kvm' ? 'kvm' : 'tcg';
    await makeBase(join(directory, 'base'), dataBytes, virtualSizeBytes);
    const counted: ReadonlyMap<string, Sample>[] = [];
    for (let round = 0; round < rounds; round += 1) {
      say(`round ${round + 1} of ${rounds}`);
      counted.push(await bootOnce(rotated(disks, round * 2), image, accelerator, options));
    }
    return [
      {
        id: 'modes',
        title: `tiny under ${accelerator === 'kvm' ? 'KVM' : 'TCG, where the processor is what is short'}`,
        text:
          `One boot a round with all disks on virtio, each worked on alone, beginning with another one in each round. \`sync\` of ${writes} scattered writes of 4 KiB over the base’s data, ` +
          'the same again, 128 MiB of reads in MiBs, 3000 direct reads and 3000 direct writes of 4 KiB, one at a time. ' +
          `\`Nova\` is a plain overlay, cache \`none\`, io \`threads\`; all others have \`extended_l2=on\` and differ in what they are called. ` +
          'Seconds by the guest’s clock (10 ms), and the ratio to Nova’s in the same boot: median (least–most).',
        reference,
        measures: measures.map((name) => ({ name, unit: 's' as const })),
        results: summarize(
          disks.map(({ name }) => name),
          counted,
          reference,
        ),
      },
    ];
  },
};
