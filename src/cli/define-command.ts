import type { Argv, CommandModule, InferredOptionTypes, Options, PositionalOptions } from 'yargs';
import { unmarkOperand } from './operands.js';
import { withContext, type CommonOptions, type Context, type Surroundings } from './context.js';

/** One example for --help: the command line without the program's name, and what it does. */
export type Example = readonly [command: string, description: string];

interface CommandDefinition<P extends Record<string, PositionalOptions>, O extends Record<string, Options>> {
  /** yargs' notation: `rename <image> <name>`. */
  readonly command: string | readonly string[];
  readonly describe: string;
  readonly positionals: P;
  readonly options: O;
  readonly examples: readonly Example[];
}

/** Declares a command; its action is where the work is imported, so that declaring costs nothing. */
export interface Command {
  (surroundings: Surroundings): CommandModule<CommonOptions>;
  readonly outline: CommandOutline;
}

/** What completion offers of a command, and what is said when it is called wrongly. */
interface CommandOutline {
  readonly names: readonly string[];
  /** Positionals that have to be there. */
  readonly required: readonly string[];
  /** With their dashes. */
  readonly options: readonly string[];
  /** Those whose value is the next word, with their short names. */
  readonly valued: readonly string[];
  readonly commands: readonly Command[];
}

export function defineCommand<
  const P extends Record<string, PositionalOptions>,
  const O extends Record<string, Options>,
>(
  definition: CommandDefinition<P, O>,
  action: (context: Context, args: InferredOptionTypes<P> & InferredOptionTypes<O>) => Promise<void>,
): Command {
  const { command, describe } = definition;
  const usages = typeof command === 'string' ? [command] : command;
  const outline: CommandOutline = {
    names: usages.map((usage) => usage.split(' ')[0] ?? ''),
    required: [...(usages[0] ?? '').matchAll(/<([\w-]+)/g)].map((match) => match[1] ?? ''),
    options: Object.keys(definition.options).map((name) => `--${name}`),
    valued: valuedOptions(definition.options),
    commands: [],
  };
  const declaration = (surroundings: Surroundings): CommandModule<CommonOptions> => ({
    command,
    describe,
    builder: (yargs) => declare(yargs, definition),
    handler: async (args) => {
      // The builder declared exactly these types; yargs cannot carry them through an index of commands.
      const typed = lastOfEach(args, definition) as CommonOptions &
        InferredOptionTypes<P> &
        InferredOptionTypes<O>;
      await withContext(surroundings, typed, (context) => action(context, typed));
    },
  });
  return Object.assign(declaration, { outline });
}

/** Of these options those that take a value, each by all its names, with their dashes. */
export function valuedOptions(options: Readonly<Record<string, Options>>): readonly string[] {
  return Object.entries(options)
    .filter(([, { type }]) => type !== 'boolean' && type !== 'count')
    .flatMap(([name, { alias }]) => [name, ...(alias === undefined ? [] : [alias].flat())])
    .map((name) => (name.length === 1 ? `-${name}` : `--${name}`));
}

/**
 * Of an option that is given twice the last counts, unless it takes several. yargs could do so by itself, but
 * would then keep only the last of several positionals too.
 */
function lastOfEach(
  args: object,
  definition: CommandDefinition<Record<string, PositionalOptions>, Record<string, Options>>,
): unknown {
  const declared = { ...definition.positionals, ...definition.options };
  return Object.fromEntries(
    Object.entries(args).map(([name, value]: [string, unknown]) => {
      const isSeveral = !Array.isArray(value) || declared[name]?.array === true;
      return [name, unmarkOperand(isSeveral ? value : value.at(-1))];
    }),
  );
}

/** A command that only holds others: `launch image …`. */
export function defineGroup(
  name: string,
  describe: string,
  commands: readonly Command[],
  examples: readonly Example[],
): Command {
  const outline: CommandOutline = { names: [name], required: [], options: [], valued: [], commands };
  const declaration = (surroundings: Surroundings): CommandModule<CommonOptions> => ({
    command: name,
    describe,
    builder: (yargs) => {
      for (const command of commands) yargs.command(command(surroundings));
      addExamples(yargs, examples);
      return yargs.demandCommand(1, `launch ${name} needs a command, see: launch ${name} --help`);
    },
    handler: () => undefined,
  });
  return Object.assign(declaration, { outline });
}

export function addExamples(yargs: Argv<CommonOptions>, examples: readonly Example[]): void {
  for (const [command, description] of examples) yargs.example(`launch ${command}`, description);
}

function declare<P extends Record<string, PositionalOptions>, O extends Record<string, Options>>(
  yargs: Argv<CommonOptions>,
  definition: CommandDefinition<P, O>,
): Argv<CommonOptions> {
  for (const [name, options] of Object.entries(definition.positionals)) yargs.positional(name, options);
  yargs.options(definition.options);
  addExamples(yargs, definition.examples);
  return yargs;
}
