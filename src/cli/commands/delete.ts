import { LaunchError } from '../../host/launch-error.js';
import type { DeletedInstance } from '../../instance/delete-instance.js';
import type { Context } from '../context.js';
import { defineCommand } from '../define-command.js';
import { instancesPositional } from '../positionals.js';
import { confirm } from '../terminal/confirm.js';

export const deleteCommand = defineCommand(
  {
    command: ['delete [instances..]', 'rm [instances..]'],
    describe: 'Stop instances and remove their files; the bases stay',
    positionals: instancesPositional,
    options: {
      all: { type: 'boolean', default: false, describe: 'all instances of this home' },
      yes: { type: 'boolean', alias: 'y', default: false, describe: 'with --all: do not ask' },
    },
    examples: [
      ['delete web db', 'several at once'],
      ['delete --all', 'everything, after a question'],
    ],
  },
  async (context, args) => {
    const { deleteInstance } = await import('../../instance/delete-instance.js');
    const references = args.all ? await allInstances(context, args.yes) : (args.instances ?? []);
    if (references.length === 0 && !args.all) {
      throw new LaunchError('ARGUMENT_INVALID', 'which instance?', {
        hint: 'launch delete NAME …    or all of them:  launch delete --all',
      });
    }
    const results = await Promise.allSettled(
      references.map((reference) => deleteInstance(context.host, reference, context.work)),
    );
    const deleted: DeletedInstance[] = [];
    for (const result of results) if (result.status === 'fulfilled') deleted.push(result.value);
    context.emit(deleted, () =>
      deleted.map((one) => `${one.domainName} ${one.deleted ? 'deleted' : 'was deleted already'}\n`).join(''),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  },
);

async function allInstances(context: Context, yes: boolean): Promise<readonly string[]> {
  const { listInstanceRecords } = await import('../../instance/instance-record.js');
  const { records, damaged } = await listInstanceRecords(context.host.home);
  const names = [...records, ...damaged].map((instance) => instance.domainName);
  if (names.length === 0 || yes) return names;
  if (!context.terminal.interactive) {
    throw new LaunchError(
      'ARGUMENT_INVALID',
      `--all would delete ${names.length} instances, and nobody is there to ask`,
      {
        hint: 'launch delete --all --yes',
      },
    );
  }
  context.endProgress();
  const question = `delete ${names.length} instances: ${names.join(', ')}?`;
  return (await confirm(question, context.terminal, { signal: context.signal })) ? names : [];
}
