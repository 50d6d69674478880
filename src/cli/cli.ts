import yargs, { type Argv } from 'yargs';
import { launchVersion } from '../host/version.js';
import { commands, commonOptions } from './all-commands.js';
import { addExamples, valuedOptions } from './define-command.js';
import { standardInput, standardOutput } from './commands/image.js';
import { wordsToComplete } from './commands/completion.js';
import { isExportFormat } from '../image/export/export-format.js';
import { isDiskFormat } from '../qemu-img/disk-format.js';
import type { CommonOptions, Surroundings } from './context.js';
import { splitGuestCommand, type SplitGuestCommand } from './guest-command.js';
import { markOperands } from './operands.js';
import { splitFormat } from './split-format.js';
import { reportError } from './terminal/error-report.js';
import { usageError } from './usage-error.js';

/**
 * Runs one command line.
 *
 * @param args the arguments after the program's name
 * @returns the exit code: 0 done, 1 refused or failed, 2 usage, 70 a bug, 130 interrupted; of `ssh` and
 * `exec` that of the command in the guest
 */
export async function runCli(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { terminal } = surroundings;
  const { args: prepared, guestCommand } = separateGuestCommand(prepareArguments(args));
  const ended = { exitCode: 0 };
  try {
    const words = wordsToComplete(args);
    if (words !== undefined) {
      terminal.out((await complete(words, surroundings)).map((word) => `${word}\n`).join(''));
      return 0;
    }
    const parser = declareProgram(prepared, {
      ...surroundings,
      guestCommand,
      endWith: (exitCode) => {
        ended.exitCode = exitCode;
      },
    });
    if (args.length === 0) {
      terminal.err(`${await parser.getHelp()}\n`);
      return 2;
    }
    if (!isTextAsked(prepared)) {
      await parser.parseAsync([...prepared]);
      return ended.exitCode;
    }
    // With a callback yargs prints nothing itself, but renders the help each time, asked or not.
    let output = '';
    await parser.parseAsync([...prepared], {}, (_error: unknown, _argv: unknown, text: string) => {
      output = text;
    });
    if (output !== '') terminal.out(`${output}\n`);
    return ended.exitCode;
  } catch (error) {
    const exitCode = reportError(error, terminal, {
      format: isJsonAsked(prepared) ? 'json' : 'text',
      verbose: prepared.includes('--verbose'),
    });
    return exitCode === 1 && ended.exitCode !== 0 ? ended.exitCode : exitCode;
  }
}

function declareProgram(args: readonly string[], surroundings: Surroundings): Argv<CommonOptions> {
  const parser = yargs([...args])
    .scriptName('launch')
    .usage(
      'launch IMAGE [options]\nlaunch COMMAND\n\nBoots KVM guests from disk images, the way Nova does, on this host.',
    )
    .options(commonOptions)
    .parserConfiguration({
      'camel-case-expansion': false,
      'parse-positional-numbers': false,
      'dot-notation': false,
      // `--key a.pub fedora-17`: an option that may be given several times takes one value each time.
      'greedy-arrays': false,
    })
    .strict()
    .exitProcess(false)
    .showHelpOnFail(false)
    .wrap(Math.min(100, surroundings.terminal.columns))
    .version(launchVersion)
    .alias('help', 'h')
    .fail((message: string | null, error: Error | undefined) => {
      throw (
        error ?? usageError(message ?? 'cannot be understood', commands, args.slice(indexOfCommand(args)))
      );
    }) as unknown as Argv<CommonOptions>;
  for (const command of commands) parser.command(command(surroundings));
  addExamples(parser, [
    ['image import f17.qcow2 --name fedora-17', 'take an image into the store'],
    ['fedora-17 --flavor m1.small', 'boot it'],
    ['inspect instance-00000001', 'see what its disk is made of'],
  ]);
  return parser;
}

/** Names from the records, and the commands and options that fit. */
async function complete(typed: readonly string[], surroundings: Surroundings): Promise<readonly string[]> {
  const { completeCommands, completeNames, readCompletion } = await import('./completion.js');
  const { openHost } = await import('../instance/open-host.js');
  const { environment } = surroundings;
  const host = openHost({ home: environment['LAUNCH_HOME'], connect: environment['LIBVIRT_DEFAULT_URI'] });
  const completion = readCompletion(typed, commands, commonOptions);
  const names = (await completeNames(host, completion)) ?? [];
  const candidates = [...names, ...completeCommands(commands, commonOptions, completion)];
  return [...new Set(candidates)].filter((candidate) => candidate.startsWith(typed.at(-1) ?? ''));
}

/**
 * In `image import` and `image export`, `--format qcow2` is the disk's format; elsewhere --format is how to
 * print. A lone `-` is written as the file it stands for, since yargs loses it as a positional.
 */
function prepareArguments(args: readonly string[]): readonly string[] {
  const start = indexOfCommand(args);
  if (args[start] !== 'image') return args;
  const isImport = args[start + 1] === 'import';
  if (!isImport && args[start + 1] !== 'export') return args;
  const standard = isImport ? standardInput : standardOutput;
  const formats: string[] = [];
  const rest: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? '';
    if (arg === '--') {
      rest.push(...args.slice(index).map((word) => (word === '-' ? standard : word)));
      break;
    }
    if (arg === '--format') formats.push(args[(index += 1)] ?? '');
    else if (arg.startsWith('--format=')) formats.push(arg.slice('--format='.length));
    else rest.push(arg === '-' ? standard : arg);
  }
  const { disk, output, unknown } = splitFormat<string>(formats, isImport ? isDiskFormat : isExportFormat);
  const added = [
    ...(disk === undefined ? [] : [`--disk-format=${disk}`]),
    ...(output === 'json' ? ['--format=json'] : []),
    // An unknown one is left for yargs to refuse.
    ...(unknown === undefined ? [] : [`--disk-format=${unknown}`]),
  ];
  return [...added, ...rest];
}

/** Words behind `--` are positionals; those that `ssh` and `exec` have for the guest are nothing of ours at all. */
function separateGuestCommand(args: readonly string[]): SplitGuestCommand {
  const start = indexOfCommand(args);
  if (args[start] !== 'ssh' && args[start] !== 'exec') {
    return { args: markOperands(args), guestCommand: undefined };
  }
  const { args: ours, guestCommand } = splitGuestCommand(args, start);
  return { args: ours.filter((arg) => arg !== '--'), guestCommand };
}

/** Where the command's name stands, behind the program's own options. */
function indexOfCommand(args: readonly string[]): number {
  const valued = valuedOptions(commonOptions);
  let index = 0;
  while (args[index]?.startsWith('-') === true) index += valued.includes(args[index] ?? '') ? 2 : 1;
  return index;
}

/** Whether yargs itself may have the answer; `-h` also among short options in one word: `-qh`. */
function isTextAsked(args: readonly string[]): boolean {
  return args.some((arg) => arg === '--help' || arg === '--version' || /^-[a-z]*h/.test(arg));
}

function isJsonAsked(args: readonly string[]): boolean {
  return (
    args.includes('--format=json') ||
    args.some((arg, index) => arg === '--format' && args[index + 1] === 'json')
  );
}
