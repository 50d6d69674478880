import type { Benchmark } from './benchmark.js';
import { deleteAll, importIdleImage } from './idle-image.js';
import { measureInTurn, type Contender, type Sample } from './measure.js';
import { launchCommand, surroundingsOf, watchCommand, type Surroundings } from './processes.js';

const reference = '10 in turn';
const imageName = 'idle';
const asked = ['--flavor', 'm1.tiny', '--memory', '64', '--virt-type', 'qemu', '--wait', 'running'];

export const many: Benchmark = {
  name: 'many',
  title: 'Many at once',
  async run(options) {
    const { directory, signal, say, rounds = 3 } = options;
    const surroundings = surroundingsOf(options);
    await importIdleImage(imageName, directory, surroundings);
    const contender = (name: string, count: number, launch: () => Promise<Watched>): Contender => ({
      name,
      measure: async (): Promise<Sample> => {
        const { seconds, peakMib } = await launch();
        await deleteAll(surroundings);
        return { 'a guest': seconds / count, 'our memory, at most': peakMib };
      },
    });
    const atOnce = (count: number) =>
      contender(`${count} at once`, count, () =>
        watchCommand(launchCommand(imageName, ...asked, '--count', String(count)), surroundings),
      );
    const contenders = [
      contender(reference, 10, () => inTurn(10, surroundings)),
      contender('1', 1, () => inTurn(1, surroundings)),
      atOnce(10),
      atOnce(50),
    ];
    const results = await measureInTurn(contenders, { rounds, reference, signal, onRun: say });
    return [
      {
        id: 'counts',
        title: 'Until the domains run',
        text:
          'm1.tiny guests with 64 MiB under TCG, by `launch IMAGE --count N`, and ten by ten commands one after the other. Seconds are those of a guest: the whole time divided by their number. ' +
          'Memory is the resident memory of all processes of ours together, at its highest; nothing of ours stays when the command has ended. ' +
          'Aim: a third where there are cores to spare, never slower. Starting a domain keeps libvirt and QEMU busy on about one core.',
        reference,
        measures: [
          { name: 'a guest', unit: 's' },
          { name: 'our memory, at most', unit: 'MiB' },
        ],
        results,
      },
    ];
  },
};

interface Watched {
  readonly seconds: number;
  readonly peakMib: number;
}

async function inTurn(count: number, surroundings: Surroundings): Promise<Watched> {
  let seconds = 0;
  let peakMib = 0;
  for (let number = 1; number <= count; number += 1) {
    const watched = await watchCommand(launchCommand(imageName, ...asked), surroundings);
    seconds += watched.seconds;
    peakMib = Math.max(peakMib, watched.peakMib);
  }
  return { seconds, peakMib };
}
