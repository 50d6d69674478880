import * as v from 'valibot';
import { readTextFile } from './files.js';
import { LaunchError } from './launch-error.js';

/**
 * Reads a JSON record and checks it against its schema.
 *
 * @returns undefined when there is no such file
 * @throws LaunchError RECORD_INVALID when the file is not what the schema says
 */
export function readRecord<Schema extends v.GenericSchema>(
  path: string,
  schema: Schema,
): v.InferOutput<Schema> | undefined {
  const text = readTextFile(path);
  if (text === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new LaunchError('RECORD_INVALID', `the record "${path}" is not JSON`, { cause, details: { path } });
  }
  const result = v.safeParse(schema, parsed);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const where = v.getDotPath(issue);
  throw new LaunchError(
    'RECORD_INVALID',
    `the record "${path}" is damaged${where === null ? '' : ` at "${where}"`}: ${issue.message}`,
    { details: { path } },
  );
}

export function renderRecord(record: object): string {
  return `${JSON.stringify(record, undefined, 2)}\n`;
}

/** Whole numbers that are sizes or counts. */
export const wholeNumber = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
