import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Benchmark, BenchmarkOptions } from './benchmark.js';
import { makeSource } from './convert.js';
import { mib, run } from './disks.js';
import { defineLike, forgetLike, type DomainPattern } from './domain-pattern.js';
import { deleteAll } from './idle-image.js';
import { measureInTurn, type Contender } from './measure.js';
import { launchCommand, runCommand, surroundingsOf, timeCommand, type Surroundings } from './processes.js';

const reference = 'the best convert, then the floor';
const imageName = 'cold';
const contentBytes = 480 * mib;
const asked = [
  '--flavor',
  'm1.tiny',
  '--disk',
  '4',
  '--memory',
  '128',
  '--virt-type',
  'qemu',
  '--wait',
  'running',
];

export const coldLaunch: Benchmark = {
  name: 'cold-launch',
  title: 'A cold launch',
  async run(options) {
    const { directory, prefix, signal, say, rounds = 7 } = options;
    const surroundings = surroundingsOf(options);
    const image = join(directory, 'image.qcow2');
    say('making the image');
    await makeImage(image, options);
    await runCommand(launchCommand('image', 'import', image, '--name', imageName), surroundings);
    const pattern = await launchPattern(surroundings);
    const byHand = (
      name: string,
      lines: (base: string, disk: string) => readonly string[],
      { synced = false } = {},
    ): Contender => ({
      name,
      measure: async (round) => {
        const place = join(directory, `${prefix}-${round}`);
        await mkdir(place, { mode: 0o711 });
        const [base, disk, domain] = [join(place, 'base'), join(place, 'disk'), `${prefix}-by-hand-${round}`];
        const xml = await defineLike(pattern, domain, place);
        const start = `virsh -q define "${xml}" && virsh -q start ${domain}`;
        const whole = [...lines(base, disk), synced ? `(sync "${base}" & ${start} && wait)` : start];
        const wall = await timeCommand(['sh', '-c', whole.join(' && ')], surroundings);
        await forgetLike(domain, place, surroundings);
        await run(signal, 'sync', '--file-system', directory);
        return { wall };
      },
    });
    const quickest = (base: string, disk: string) => [
      `qemu-img convert -f qcow2 -O raw -m 16 -W "${image}" "${base}"`,
      `qemu-img resize -q -f raw "${base}" 4G`,
      `qemu-img create -q -f qcow2 -F raw -b "${base}" "${disk}" 4G`,
    ];
    const contenders: readonly Contender[] = [
      byHand(reference, quickest),
      byHand('the same, the base synced beside the start', quickest, { synced: true }),
      {
        name: 'launch',
        measure: async () => {
          const wall = await timeCommand(launchCommand(imageName, ...asked), surroundings);
          await deleteAll(surroundings);
          await runCommand(launchCommand('base', 'prune'), surroundings);
          await run(signal, 'sync', '--file-system', directory);
          return { wall };
        },
      },
      // Nova 26: fetch_to_raw, then a copy that is extended for the flavor, then the overlay.
      byHand('Nova’s sequence by hand', (base, disk) => [
        `qemu-img convert -t none -O raw -f qcow2 "${image}" "${base}.part"`,
        `mv "${base}.part" "${base}"`,
        `qemu-img resize -q -f raw "${base}" 4G`,
        `qemu-img create -q -f qcow2 -F raw -b "${base}" "${disk}" 4G`,
      ]),
    ];
    const results = await measureInTurn(contenders, { rounds, reference, signal, onRun: say });
    return [
      {
        id: 'ways',
        title: 'From the imported image until the domain runs',
        text:
          `A compressed qcow2 with ${contentBytes / mib} MiB of this host’s own files, grown to 4 GiB. ` +
          'Ours also reads the whole new base for its digest and syncs it before it ends, beside the start of the guest: what is not synced, a crash of the host takes or tears. ' +
          'Aim: at most 1.05 times the best convert and the floor.',
        reference,
        measures: [{ name: 'wall', unit: 's' }],
        results,
      },
    ];
  },
};

async function makeImage(path: string, options: BenchmarkOptions): Promise<void> {
  const raw = `${path}.raw`;
  await makeSource(raw, options);
  await run(
    options.signal,
    'qemu-img',
    'convert',
    '-c',
    '-m',
    '16',
    '-W',
    '-f',
    'raw',
    '-O',
    'qcow2',
    raw,
    path,
  );
  await rm(raw);
}

async function launchPattern(surroundings: Surroundings): Promise<DomainPattern> {
  const launched = JSON.parse(
    await runCommand(launchCommand(imageName, ...asked, '--seed', 'none', '--format', 'json'), surroundings),
  ) as { readonly diskPath: string };
  const xml = await readFile(join(launched.diskPath, '..', 'domain.xml'), 'utf8');
  await deleteAll(surroundings);
  await runCommand(launchCommand('base', 'prune'), surroundings);
  return { xml, disk: launched.diskPath };
}
