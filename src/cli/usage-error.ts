import { LaunchError } from '../host/launch-error.js';
import type { Command } from './define-command.js';
import { unmarkText } from './operands.js';

/**
 * yargs' complaint in our words, with where the help of the command is.
 *
 * @param words the command line from the command's name on
 */
export function usageError(
  message: string,
  commands: readonly Command[],
  words: readonly string[],
): LaunchError {
  const { path, required } = findCommand(commands, words);
  return new LaunchError('ARGUMENT_INVALID', inOurWords(message, path, required), {
    hint: `${path} --help`,
  });
}

/** On one line, and without yargs' own terms. */
function inOurWords(message: string, path: string, required: readonly string[]): string {
  const missing = /^Not enough non-option arguments: got (\d+)/.exec(message);
  if (missing === null) return unmarkText(message.trim().replaceAll(/\s*\n\s*/g, ' '));
  const names = required.slice(Number(missing[1])).map((name) => name.toUpperCase());
  return `${path} needs ${names.length === 0 ? 'more' : names.join(' and ')}`;
}

function findCommand(
  commands: readonly Command[],
  words: readonly string[],
): { readonly path: string; readonly required: readonly string[] } {
  let here = commands;
  // Without a name of a command it is `launch IMAGE`.
  let required = commands.find(({ outline }) => outline.names.includes('$0'))?.outline.required ?? [];
  const path = ['launch'];
  for (const word of words) {
    if (word.startsWith('-')) continue;
    const found = here.find(({ outline }) => outline.names.includes(word));
    if (found === undefined) break;
    path.push(word);
    ({ required, commands: here } = found.outline);
  }
  return { path: path.join(' '), required };
}
