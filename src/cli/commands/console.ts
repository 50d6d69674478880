import { LaunchError } from '../../host/launch-error.js';
import { defineCommand } from '../define-command.js';
import { instancePositional } from '../positionals.js';

export const consoleCommand = defineCommand(
  {
    command: 'console <instance>',
    describe: "Sit down at the guest's serial console (leave with Ctrl-])",
    positionals: instancePositional,
    options: {},
    examples: [['console web', 'leave with Ctrl-]']],
  },
  async (context, args) => {
    const { getInstance } = await import('../../instance/find-instance.js');
    const { runInteractively } = await import('../../host/command.js');
    const record = await getInstance(context.host, args.instance);
    const domain = await context.host.hypervisor.findDomain(record.uuid);
    if (domain?.state !== 'running') {
      throw new LaunchError(
        'INSTANCE_STATE',
        `${record.domainName} has no console: it is ${domain?.state ?? 'not in libvirt'}`,
        {
          hint: `launch start ${record.domainName}`,
        },
      );
    }
    if (context.stdin.isTTY !== true) {
      throw new LaunchError('ARGUMENT_INVALID', 'a console needs a terminal', {
        hint: `to read it:  launch log -f ${record.domainName}`,
      });
    }
    context.endProgress();
    await runInteractively(context.host.hypervisor.consoleCommand(record.domainName));
  },
);
