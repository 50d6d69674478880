import { parseDocument, type Document } from 'yaml';
import { LaunchError } from '../../host/launch-error.js';

/** cloud-init reads YAML with PyYAML, which knows version 1.1: `yes` is true there, and `0644` is octal. */
const version = '1.1';

/**
 * Reads a YAML document as cloud-init would.
 *
 * @param what the file, for people
 * @throws LaunchError ARGUMENT_INVALID with line and column
 */
export function readYaml(text: string, what: string): Document.Parsed {
  // A key that is there twice is no error to PyYAML: the last one counts.
  const document = parseDocument(text, { version, uniqueKeys: false, prettyErrors: true });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem === undefined) return document;
  const [place] = problem.linePos ?? [];
  const where = place === undefined ? '' : ` at line ${place.line}, column ${place.col}`;
  const [reason = ''] = problem.message.split('\n');
  throw new LaunchError(
    'ARGUMENT_INVALID',
    `the YAML of ${what} is wrong${where}: ${reason.replace(/ at line \d+, column \d+:?$/, '').replace(/:$/, '')}`,
    {
      hint: excerptOf(text, place),
      details: place === undefined ? undefined : { line: place.line, column: place.col },
    },
  );
}

/** The line that is wrong, with a mark below the place. */
function excerptOf(
  text: string,
  place: { readonly line: number; readonly col: number } | undefined,
): string | undefined {
  if (place === undefined) return undefined;
  const line = (text.split('\n')[place.line - 1] ?? '').replaceAll('\t', ' ').trimEnd();
  const from = Math.max(0, place.col - 60);
  return `${line.slice(from, from + 90)}\n${' '.repeat(place.col - 1 - from)}^`;
}
