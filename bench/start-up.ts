import type { Benchmark } from './benchmark.js';
import { measureInTurn, type Contender } from './measure.js';
import { launchCommand, surroundingsOf, timeCommand } from './processes.js';

const reference = 'node -e 0';

export const startUp: Benchmark = {
  name: 'start-up',
  title: 'Starting the program',
  async run(options) {
    const { signal, say, rounds = 21 } = options;
    const surroundings = surroundingsOf(options);
    const contender = (name: string, command: readonly [string, ...string[]]): Contender => ({
      name,
      measure: async () => ({ wall: await timeCommand(command, surroundings) }),
    });
    const contenders = [
      contender(reference, [process.execPath, '-e', '0']),
      contender('launch --version', launchCommand('--version')),
      contender('launch --help', launchCommand('--help')),
      contender('launch list', launchCommand('list')),
    ];
    const results = await measureInTurn(contenders, { rounds, reference, signal, onRun: say });
    return [
      {
        id: 'commands',
        title: 'Whole processes',
        text: 'From the start of the process to its end; `launch list` of a home without instances. Aim for `--version`: 1.5.',
        reference,
        measures: [{ name: 'wall', unit: 's' }],
        results,
      },
    ];
  },
};
