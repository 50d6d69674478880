import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Benchmark, BenchmarkOptions, Comparison } from './benchmark.js';
import { importIdleImage } from './idle-image.js';
import { measureInTurn, type Contender } from './measure.js';
import { launchCommand, runCommand, surroundingsOf, timeCommand, type Surroundings } from './processes.js';

const imageName = 'idle';
const counts = [10, 100, 1000] as const;
const asked = [
  '--flavor',
  'm1.tiny',
  '--memory',
  '64',
  '--virt-type',
  'qemu',
  '--network',
  'none',
  '--wait',
  'none',
];

export const lists: Benchmark = {
  name: 'lists',
  title: 'Lists',
  async run(options) {
    const { directory, say } = options;
    const surroundings = surroundingsOf(options);
    await importIdleImage(imageName, directory, surroundings);
    const first = await launchFirst(surroundings);
    const comparisons: Comparison[] = [];
    let defined = 1;
    for (const count of counts) {
      say(`defining ${count} domains`);
      while (defined < count) await defineAnother(first, (defined += 1), surroundings);
      comparisons.push(await compare(count, first, options, surroundings));
    }
    return comparisons;
  },
};

interface First {
  readonly domainName: string;
  readonly uuid: string;
  readonly directory: string;
  readonly record: string;
  readonly xml: string;
}

/** A real instance, stopped; the others are made after its record. */
async function launchFirst(surroundings: Surroundings): Promise<First> {
  const { domainName, uuid, diskPath } = JSON.parse(
    await runCommand(launchCommand(imageName, ...asked, '--format', 'json'), surroundings),
  ) as { readonly domainName: string; readonly uuid: string; readonly diskPath: string };
  await runCommand(launchCommand('stop', '--force', domainName), surroundings);
  const directory = join(diskPath, '..');
  return {
    domainName,
    uuid,
    directory,
    record: await readFile(join(directory, 'instance.json'), 'utf8'),
    xml: await readFile(join(directory, 'domain.xml'), 'utf8'),
  };
}

async function defineAnother(first: First, number: number, surroundings: Surroundings): Promise<void> {
  const name = `${surroundings.prefix}-${number.toString(16).padStart(8, '0')}`;
  const uuid = randomUUID();
  const directory = join(first.directory, '..', name);
  const asOther = (text: string) => text.replaceAll(first.domainName, name).replaceAll(first.uuid, uuid);
  await mkdir(directory);
  await copyFile(join(first.directory, 'disk'), join(directory, 'disk'));
  const record = JSON.parse(asOther(first.record)) as object;
  await writeFile(join(directory, 'instance.json'), JSON.stringify({ ...record, number }));
  await writeFile(join(directory, 'domain.xml'), asOther(first.xml));
  await runCommand(['virsh', '-q', 'define', join(directory, 'domain.xml')], surroundings);
}

async function compare(
  count: number,
  first: First,
  { rounds = 7, signal, say }: BenchmarkOptions,
  surroundings: Surroundings,
): Promise<Comparison> {
  const reference = 'virsh, and the start of Node';
  const node = `"${process.execPath}" -e 0`;
  const contender = (
    name: string,
    list: readonly [string, ...string[]],
    inspect: readonly [string, ...string[]],
  ): Contender => ({
    name,
    measure: async () => ({
      list: await timeCommand(list, surroundings),
      inspect: await timeCommand(inspect, surroundings),
    }),
  });
  const results = await measureInTurn(
    [
      contender(
        reference,
        ['sh', '-c', `virsh list --all >/dev/null && ${node}`],
        ['sh', '-c', `virsh domblklist ${first.domainName} >/dev/null && ${node}`],
      ),
      contender('launch', launchCommand('list'), launchCommand('inspect', first.domainName)),
    ],
    { rounds, reference, signal, onRun: say },
  );
  return {
    id: `domains-${count}`,
    title: `${count} instances, none of which runs`,
    text:
      '`launch list` and `launch inspect INSTANCE` against `virsh list --all` and `virsh domblklist`, each of these followed by `node -e 0`. ' +
      '`list` reads each record beside what virsh reads; `inspect` reads both files of the chain with qemu-img. Aim for `list`: 1.2.',
    reference,
    measures: [
      { name: 'list', unit: 's' },
      { name: 'inspect', unit: 's' },
    ],
    results,
  };
}
