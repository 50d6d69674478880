import { LaunchError } from './launch-error.js';

const maximumNameLength = 255;

/**
 * Checks a name that a user gives to an image, an instance or a flavor. It is shown and written into
 * XML, never used as a path, so all printable text is allowed; what could move a cursor, end a line or
 * look like an option is not.
 *
 * @throws LaunchError NAME_INVALID
 */
export function checkName(kind: string, name: string): string {
  const reason = reasonAgainst(name);
  if (reason === undefined) return name;
  throw new LaunchError('NAME_INVALID', `the ${kind}'s name ${JSON.stringify(shorten(name))} ${reason}`, {
    hint: `a name has 1 to ${maximumNameLength} printable characters, no line breaks, and does not start with "-"`,
  });
}

function reasonAgainst(name: string): string | undefined {
  if (name.length === 0) return 'is empty';
  if (Array.from(name).length > maximumNameLength) return `is longer than ${maximumNameLength} characters`;
  if (name !== name.trim()) return 'starts or ends with a space';
  if (name.startsWith('-')) return 'starts with "-"';
  // Cc controls, Cf formatting (bidi overrides), Cs lone surrogates, line and paragraph separators.
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\uFFFE\uFFFF]/u.test(name))
    return 'has a character that cannot be printed';
  return undefined;
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function isUuid(text: string): boolean {
  return uuidPattern.test(text.toLowerCase());
}

/** @throws LaunchError ARGUMENT_INVALID */
export function checkUuid(text: string): string {
  const id = text.toLowerCase();
  if (uuidPattern.test(id)) return id;
  throw new LaunchError('ARGUMENT_INVALID', `the id ${JSON.stringify(shorten(text))} is not a UUID`, {
    hint: 'a UUID looks like 1e6292f9-82bd-4cdb-969e-c863cb1c6692',
  });
}
