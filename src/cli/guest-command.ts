/** Options of `ssh` and `exec` whose value is the next word; the program's own among them. */
const withValue = new Set([
  ...[
    '-l',
    '--user',
    '-i',
    '--identity',
    '--forward',
    '--ssh-option',
    '--timeout',
    '--connect-timeout',
    '--via',
  ],
  ...['--home', '--connect', '--format', '--trace'],
]);

export interface SplitGuestCommand {
  /** For yargs. */
  readonly args: readonly string[];
  /** The words for the guest, never to be taken for options of ours; undefined where there are none. */
  readonly guestCommand: readonly string[] | undefined;
}

/**
 * Cuts `ssh [options] NAME [options] [--] WORD…` as ssh itself does: the words for the guest begin behind
 * `--`, or with the first word behind the name that is no option.
 *
 * @param at where `ssh` or `exec` stands in the arguments
 */
export function splitGuestCommand(args: readonly string[], at: number): SplitGuestCommand {
  let named = false;
  for (let index = at + 1; index < args.length; index += 1) {
    const arg = args[index] ?? '';
    if (arg === '--' && named) return { args: args.slice(0, index), guestCommand: args.slice(index + 1) };
    if (arg === '--') continue;
    if (arg.startsWith('-') && arg !== '-') {
      if (withValue.has(arg)) index += 1;
      continue;
    }
    if (named) return { args: args.slice(0, index), guestCommand: args.slice(index) };
    named = true;
  }
  return { args, guestCommand: undefined };
}
