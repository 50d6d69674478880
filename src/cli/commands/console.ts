import { LaunchError } from '../../host/launch-error.js';
import type { InstanceRecord } from '../../instance/instance-record.js';
import type { Context } from '../context.js';
import { defineCommand } from '../define-command.js';
import { instancePositional } from '../positionals.js';

export const consoleCommand = defineCommand(
  {
    command: 'console <instance>',
    describe: "Sit down at the guest's serial console (leave with Ctrl-])",
    positionals: instancePositional,
    options: {
      force: { type: 'boolean', default: false, describe: 'take it from whoever sits there' },
    },
    examples: [
      ['console web', 'leave with Ctrl-]'],
      ['console web --force', 'somebody forgot to leave'],
    ],
  },
  async (context, args) => {
    const { getInstance } = await import('../../instance/find-instance.js');
    const { checkGuestRuns } = await import('../../instance/login/guest-state.js');
    const { runAttached } = await import('../../host/attached-command.js');
    const { host } = context;
    const record = await getInstance(host, args.instance);
    const state = await checkGuestRuns(host, record, { action: 'open the console of', pausedToo: true });
    if (context.openStdin().isTTY !== true) {
      throw new LaunchError('ARGUMENT_INVALID', 'a console needs a terminal', {
        hint: `to read it:  launch log -f ${record.domainName}`,
      });
    }
    if (state === 'paused' || state === 'pmsuspended') {
      context.say(`it is ${state} and answers nothing:  launch resume ${record.domainName}`);
    }
    sayAdvice(context);
    context.endProgress();
    const { exitCode, stderr } = await runAttached(
      host.hypervisor.consoleCommand(record.domainName, { force: args.force }),
      { keepStderr: true, signal: context.signal },
    );
    // What ran there may have hidden the cursor, or left its colours behind.
    context.terminal.err('\u001b[0m\u001b[?25h\r');
    if (exitCode !== 0) throw consoleError(record, stderr);
    const after = (await host.hypervisor.findDomain(record.uuid))?.state;
    if (after !== 'running' && after !== state) context.say(`${record.domainName} is ${after ?? 'gone'}`);
  },
);

/** A serial line knows no sizes: a guest believes in 80 by 24 until it is told. */
function sayAdvice(context: Context): void {
  const { columns, rows } = context.terminal;
  if (rows !== undefined && (columns !== 80 || rows !== 24)) {
    context.say(
      `leave with Ctrl-]; for the size of this window, in the guest:  stty cols ${columns} rows ${rows}`,
    );
    return;
  }
  context.say('leave with Ctrl-]');
}

function consoleError({ domainName }: InstanceRecord, stderr: string): LaunchError {
  const words =
    stderr
      .trim()
      .split('\n')
      .at(-1)
      ?.replace(/^error: /, '') ?? '';
  if (/active console session exists/i.test(stderr)) {
    return new LaunchError('BUSY', `somebody sits at the console of ${domainName} already`, {
      hint: `take it from them:  launch console --force ${domainName}    read along:  launch log -f ${domainName}`,
    });
  }
  return new LaunchError('COMMAND_FAILED', `the console of ${domainName} ended: ${words}`);
}
