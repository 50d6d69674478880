import { defineCommand, defineGroup } from '../define-command.js';
import { renderStoragePlan } from '../render-storage.js';

const storageCommand = defineCommand(
  {
    command: 'storage',
    describe: 'Say what the file system can do, how bases are made on it, and why',
    positionals: {},
    options: {},
    examples: [['doctor storage', '']],
  },
  async (context) => {
    const { diagnoseStorage } = await import('../../instance/measure-storage-needs.js');
    const diagnosis = await diagnoseStorage(context.host);
    context.emit(diagnosis, () => renderStoragePlan(diagnosis.directory, diagnosis.facts, diagnosis.plan));
  },
);

export const doctorCommand = defineGroup(
  'doctor',
  'Look at the host, and say what is wrong and what to do',
  [storageCommand],
  [['doctor storage', 'how bases are made here, and why']],
);
