/** Begins a word that stood behind `--`; no argument of a process can have it. */
const mark = '\0';

/**
 * Words behind `--` are no options. yargs keeps such words apart from its positionals, so they are marked, to be
 * taken for positionals whatever they look like, and `--` goes.
 */
export function markOperands(args: readonly string[]): readonly string[] {
  const at = args.indexOf('--');
  if (at === -1) return args;
  const before = args.slice(0, at);
  // The first word would be taken for a command.
  const isFirst = before.every((word) => word.startsWith('-'));
  const operands = args.slice(at + 1).map((word) => {
    const mayBeMore = isFirst || word.startsWith('-') || word === 'true' || word === 'false';
    return mayBeMore ? `${mark}${word}` : word;
  });
  return [...before, ...operands];
}

/** What was typed. */
export function unmarkOperand(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unmarkOperand);
  return typeof value === 'string' && value.startsWith(mark) ? value.slice(mark.length) : value;
}

export function unmarkText(text: string): string {
  return text.replaceAll(mark, '');
}
