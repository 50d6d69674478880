import { defineCommand } from '../define-command.js';
import { renderStorage } from '../render-storage.js';

export const dfCommand = defineCommand(
  {
    command: 'df',
    describe: 'Show where the space is, and what deleting each thing would give back',
    positionals: {},
    options: {},
    examples: [['df --format json', 'in bytes, for programs']],
  },
  async (context) => {
    const { measureStorage } = await import('../../instance/bases/measure-storage.js');
    const report = await measureStorage(context.host, context.work);
    context.emit(report, () => renderStorage(report));
  },
);
