import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Benchmark, BenchmarkOptions } from './benchmark.js';
import { removePool } from './clear-up.js';
import { defineLike, forgetLike, type DomainPattern } from './domain-pattern.js';
import { deleteAll, importIdleImage } from './idle-image.js';
import { measureInTurn, type Contender } from './measure.js';
import { launchCommand, runCommand, timeCommand, surroundingsOf, type Surroundings } from './processes.js';

const reference = 'the floor: qemu-img create, virsh define, virsh start';
const imageName = 'idle';
const asked = ['--flavor', 'm1.tiny', '--memory', '128', '--virt-type', 'qemu', '--wait', 'running'];

export const warmLaunch: Benchmark = {
  name: 'warm-launch',
  title: 'A warm launch',
  async run(options) {
    const { directory, signal, say, rounds = 11 } = options;
    const surroundings = surroundingsOf(options);
    await importIdleImage(imageName, directory, surroundings);
    const pattern = await launchPattern(surroundings);
    const contenders = [
      theFloor(pattern, options, surroundings),
      ours(surroundings),
      ...((await isInstalled('virt-install')) ? [virtInstall(pattern, options, surroundings)] : []),
    ];
    const results = await measureInTurn(contenders, { rounds, reference, signal, onRun: say });
    return [
      {
        id: 'ways',
        title: 'The base is there; until the domain runs',
        text:
          'The same guest each time: a 128 MiB m1.tiny under TCG on the network `default`, with our devices. ' +
          'The floor does in one shell line what cannot be left out, with the XML at hand, and no seed, no record, no locks, nothing checked, nothing to undo. ' +
          'Aims: at most 1.15 times the floor, well under half of virt-install.',
        reference,
        measures: [{ name: 'wall', unit: 's' }],
        results,
      },
    ];
  },
};

interface Pattern extends DomainPattern {
  readonly base: string;
}

/** One launch makes the base, and the domain that the others are made after. */
async function launchPattern(surroundings: Surroundings): Promise<Pattern> {
  const launched = JSON.parse(
    await runCommand(launchCommand(imageName, ...asked, '--seed', 'none', '--format', 'json'), surroundings),
  ) as { readonly diskPath: string; readonly basePath: string };
  const xml = await readFile(join(launched.diskPath, '..', 'domain.xml'), 'utf8');
  await deleteAll(surroundings);
  return { xml, disk: launched.diskPath, base: launched.basePath };
}

function ours(surroundings: Surroundings): Contender {
  return {
    name: 'launch',
    measure: async () => {
      const wall = await timeCommand(launchCommand(imageName, ...asked), surroundings);
      await deleteAll(surroundings);
      return { wall };
    },
  };
}

function theFloor(
  pattern: Pattern,
  { directory, prefix }: BenchmarkOptions,
  surroundings: Surroundings,
): Contender {
  return {
    name: reference,
    measure: async (round) => {
      const name = `${prefix}-floor-${round}`;
      const place = join(directory, name);
      await mkdir(place, { mode: 0o711 });
      const disk = join(place, 'disk');
      const xml = await defineLike(pattern, name, place);
      const line =
        `qemu-img create -q -f qcow2 -F raw -b "${pattern.base}" "${disk}" 1G && ` +
        `virsh -q define "${xml}" && virsh -q start ${name}`;
      const wall = await timeCommand(['sh', '-c', line], surroundings);
      await forgetLike(name, place, surroundings);
      return { wall };
    },
  };
}

function virtInstall(
  pattern: Pattern,
  { directory, prefix }: BenchmarkOptions,
  surroundings: Surroundings,
): Contender {
  return {
    name: 'qemu-img create, virt-install --import',
    measure: async (round) => {
      const name = `${prefix}-virt-install-${round}`;
      const place = join(directory, name);
      await mkdir(place, { mode: 0o711 });
      const disk = join(place, 'disk');
      const line =
        `qemu-img create -q -f qcow2 -F raw -b "${pattern.base}" "${disk}" 1G && ` +
        `virt-install --quiet --connect qemu:///system --import --name ${name} --memory 128 --virt-type qemu ` +
        `--osinfo generic --disk "path=${disk},format=qcow2,bus=virtio" --network network=default --graphics vnc ` +
        '--noautoconsole';
      const wall = await timeCommand(['sh', '-c', line], surroundings);
      await forgetLike(name, place, surroundings);
      await removePool(name);
      return { wall };
    },
  };
}

async function isInstalled(program: string): Promise<boolean> {
  return (await execa(program, ['--version'], { reject: false })).exitCode === 0;
}
