import { LaunchError } from '../../host/launch-error.js';
import { checkIds } from '../../instance/doctor/finding.js';
import { defineCommand } from '../define-command.js';
import { renderHealth } from '../render-doctor.js';

export const doctorCommand = defineCommand(
  {
    command: 'doctor [checks..]',
    describe: 'Look at the host, and say what is wrong, why it matters and what to do',
    positionals: {
      checks: {
        type: 'string',
        array: true,
        choices: checkIds,
        describe: 'what to look at, in detail; everything when none is named',
      },
    },
    options: {
      fix: {
        type: 'boolean',
        default: false,
        describe: 'apply the cures that lose nothing and can be done again',
      },
      network: {
        type: 'string',
        default: 'default',
        describe: 'the network of libvirt that guests are to be on',
        requiresArg: true,
      },
    },
    examples: [
      ['doctor', 'everything; ends with 1 when no launch can work here'],
      ['doctor network dhcp --fix', 'the network of guests, cured where that is safe'],
      ['doctor storage', 'how bases are made on this file system, and why'],
    ],
  },
  async (context, args) => {
    const { examineHost } = await import('../../instance/doctor/examine-host.js');
    const report = await examineHost(
      context.host,
      { checks: args.checks, fix: args.fix, places: { network: args.network } },
      context.work,
    );
    const columns = context.terminal.interactive ? context.terminal.columns : 100;
    const isDetailed = (args.checks ?? []).length > 0;
    context.emit(report, () => renderHealth(report, { columns, isDetailed }));
    if (report.canLaunch) return;
    const failed = report.checks.filter(({ status }) => status === 'failed').map(({ id }) => id);
    throw new LaunchError('HOST_UNFIT', `launches cannot work on this host as it is: ${failed.join(', ')}`, {
      hint:
        report.checks.some(hasAutomaticCure) && !args.fix
          ? 'what can be cured safely:  launch doctor --fix'
          : undefined,
      details: { failed },
    });
  },
);

function hasAutomaticCure(check: {
  readonly problems: readonly { readonly cure: { readonly automatic: boolean } }[];
}): boolean {
  return check.problems.some(({ cure }) => cure.automatic);
}
