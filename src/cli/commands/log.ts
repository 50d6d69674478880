import { LaunchError } from '../../host/launch-error.js';
import type { InstanceRecord } from '../../instance/instance-record.js';
import type { Context } from '../context.js';
import { defineCommand } from '../define-command.js';
import { instancePositional } from '../positionals.js';
import { safeJson } from '../terminal/escape.js';

export const logCommand = defineCommand(
  {
    command: 'log <instance>',
    describe: 'Print what the serial console has said, over all its starts',
    positionals: instancePositional,
    options: {
      follow: {
        type: 'boolean',
        alias: 'f',
        default: false,
        describe: 'go on printing, over reboots, until the guest is deleted',
      },
      lines: { type: 'number', alias: 'n', requiresArg: true, describe: 'only the last lines' },
    },
    examples: [
      ['log web -n 20', 'the last twenty lines'],
      ['log web -f', 'and what follows'],
      ['log web -f -n 0', 'only what follows'],
    ],
  },
  async (context, args) => {
    const { getInstance } = await import('../../instance/find-instance.js');
    const { lengthOf, readConsoleLog } = await import('../../guest/boot/console-log.js');
    const { lines } = args;
    if (lines !== undefined && !(Number.isInteger(lines) && lines >= 0)) {
      throw new LaunchError('ARGUMENT_INVALID', `--lines takes a whole number, not ${lines}`);
    }
    const record = await getInstance(context.host, args.instance);
    const { consoleLog } = context.host.home.instance(record.domainName);
    const fromByte = await lengthOf(consoleLog);
    const text = tail(await readConsoleLog(consoleLog), lines);
    context.emit({ domainName: record.domainName, path: consoleLog, text }, () => text);
    if (args.follow) {
      await follow(context, record, { path: consoleLog, fromByte });
    } else if (text === '' && lines !== 0) {
      context.say(`the console of ${record.domainName} has printed nothing yet`);
    }
  },
);

const lookEveryMs = 1000;

/** Until interrupted, or there is no such instance any more; one that is off may start again. */
async function follow(
  context: Context,
  record: InstanceRecord,
  log: { readonly path: string; readonly fromByte: number },
): Promise<void> {
  const { followConsoleLog } = await import('../../guest/boot/console-log.js');
  const { findRecordIn } = await import('../../instance/instance-record.js');
  const { directory } = context.host.home.instance(record.domainName);
  const isJson = context.options.format === 'json';
  let nextLook = 0;
  let isOff = false;
  for await (const text of followConsoleLog(log.path, { fromByte: log.fromByte, work: context.work })) {
    if (text !== '') context.terminal.out(isJson ? `${safeJson({ text })}\n` : text);
    if (performance.now() < nextLook) continue;
    nextLook = performance.now() + lookEveryMs;
    const left = await findRecordIn(directory).catch(() => record);
    if (left?.uuid !== record.uuid) {
      context.say(`${record.domainName} is deleted`);
      return;
    }
    const state = (await context.host.hypervisor.findDomain(record.uuid))?.state ?? 'shut off';
    if (state === 'shut off' && !isOff)
      context.say(`${record.domainName} is off; what it says when it starts follows`);
    isOff = state === 'shut off';
  }
}

function tail(text: string, lines: number | undefined): string {
  if (lines === undefined) return text;
  const all = text.endsWith('\n') ? text.slice(0, -1).split('\n') : text.split('\n');
  const kept = lines <= 0 ? [] : all.slice(-lines);
  return kept.length === 0 ? '' : `${kept.join('\n')}\n`;
}
