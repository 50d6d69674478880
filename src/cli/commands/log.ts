import { defineCommand } from '../define-command.js';
import { instancePositional } from '../positionals.js';

export const logCommand = defineCommand(
  {
    command: 'log <instance>',
    describe: 'Print what the serial console has said, over all its starts',
    positionals: instancePositional,
    options: {
      follow: { type: 'boolean', alias: 'f', default: false, describe: 'go on printing until interrupted' },
      lines: { type: 'number', alias: 'n', describe: 'only the last lines' },
    },
    examples: [
      ['log web -n 20', 'the last twenty lines'],
      ['log web -f', 'and what follows'],
    ],
  },
  async (context, args) => {
    const { getInstance } = await import('../../instance/find-instance.js');
    const { followConsoleLog, lengthOf, readConsoleLog } = await import('../../guest/console-log.js');
    const record = await getInstance(context.host, args.instance);
    const { consoleLog } = context.host.home.instance(record.domainName);
    const fromByte = await lengthOf(consoleLog);
    const text = tail(await readConsoleLog(consoleLog), args.lines);
    context.emit({ domainName: record.domainName, path: consoleLog, text }, () => text);
    if (!args.follow) {
      if (text === '') context.say(`the console of ${record.domainName} has printed nothing yet`);
      return;
    }
    for await (const more of followConsoleLog(consoleLog, { fromByte, work: context.work })) {
      context.terminal.out(more);
    }
  },
);

function tail(text: string, lines: number | undefined): string {
  if (lines === undefined) return text;
  const all = text.endsWith('\n') ? text.slice(0, -1).split('\n') : text.split('\n');
  const kept = lines <= 0 ? [] : all.slice(-lines);
  return kept.length === 0 ? '' : `${kept.join('\n')}\n`;
}
