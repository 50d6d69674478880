import type { Work } from '../../host/work.js';
import type { ChangedInstance } from '../../instance/change-state.js';
import type { Host } from '../../instance/open-host.js';
import type { Context } from '../context.js';
import { defineCommand } from '../define-command.js';
import { instancesPositional } from '../positionals.js';
import { parseDuration } from '../terminal/units.js';
import { LaunchError } from '../../host/launch-error.js';

export const startCommand = defineCommand(
  {
    command: 'start <instances..>',
    describe: 'Start instances that are off',
    positionals: instancesPositional,
    options: {},
    examples: [['start instance-0000000c', 'its base is checked first']],
  },
  async (context, args) => {
    const { startInstance } = await import('../../instance/change-state.js');
    await changeEach(context, args.instances, 'started', 'runs already', startInstance);
  },
);

export const stopCommand = defineCommand(
  {
    command: 'stop <instances..>',
    describe: 'Ask the guests to power off; pull the plug when they do not',
    positionals: instancesPositional,
    options: {
      timeout: { type: 'string', default: '60s', describe: 'how long a guest may take; 0 pulls the plug' },
      force: { type: 'boolean', default: false, describe: 'pull the plug at once' },
    },
    examples: [
      ['stop web', 'by the ACPI power button, after a minute by force'],
      ['stop web --force', 'at once: the guest loses what it did not write'],
    ],
  },
  async (context, args) => {
    const { stopInstance } = await import('../../instance/change-state.js');
    const timeoutMs = args.force ? 0 : parseDuration(args.timeout);
    await changeEach(context, args.instances, 'stopped', 'is off already', (host, reference, work) =>
      stopInstance(host, reference, { timeoutMs }, work),
    );
  },
);

export const rebootCommand = defineCommand(
  {
    command: 'reboot <instances..>',
    describe: 'Reboot guests through ACPI, or hard',
    positionals: instancesPositional,
    options: { hard: { type: 'boolean', default: false, describe: 'pull the plug and start anew' } },
    examples: [
      ['reboot web', 'the guest reboots when it has shut down'],
      ['reboot web --hard', 'for a guest that does not answer'],
    ],
  },
  async (context, args) => {
    const { rebootInstance } = await import('../../instance/change-state.js');
    await changeEach(
      context,
      args.instances,
      args.hard ? 'rebooted' : 'asked to reboot',
      '',
      (host, reference, work) => rebootInstance(host, reference, { hard: args.hard }, work),
    );
  },
);

export const pauseCommand = defineCommand(
  {
    command: 'pause <instances..>',
    describe: 'Stop the processors of guests; memory stays',
    positionals: instancesPositional,
    options: {},
    examples: [['pause web', 'until launch resume web']],
  },
  async (context, args) => {
    const { pauseInstance } = await import('../../instance/change-state.js');
    await changeEach(context, args.instances, 'paused', 'is paused already', pauseInstance);
  },
);

export const resumeCommand = defineCommand(
  {
    command: ['resume <instances..>', 'unpause <instances..>'],
    describe: 'Let paused guests go on',
    positionals: instancesPositional,
    options: {},
    examples: [['resume web', 'after launch pause web']],
  },
  async (context, args) => {
    const { resumeInstance } = await import('../../instance/change-state.js');
    await changeEach(context, args.instances, 'resumed', 'runs already', resumeInstance);
  },
);

/** Changes one after the other; the first failure ends it, and what was changed is told. */
async function changeEach(
  context: Context,
  references: readonly string[] | undefined,
  done: string,
  already: string,
  change: (host: Host, reference: string, work: Work) => Promise<ChangedInstance>,
): Promise<void> {
  if (references === undefined || references.length === 0) {
    throw new LaunchError('ARGUMENT_INVALID', 'which instance?', { hint: 'launch list' });
  }
  const changes: ChangedInstance[] = [];
  try {
    for (const reference of references) {
      changes.push(await change(context.host, reference, context.work));
    }
  } finally {
    context.emit(
      changes.map(({ instance, ...rest }) => ({
        domainName: instance.domainName,
        uuid: instance.uuid,
        ...rest,
      })),
      () => changes.map((one) => `${one.instance.domainName} ${one.changed ? done : already}\n`).join(''),
    );
  }
}
