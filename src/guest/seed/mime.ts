import { createHash } from 'node:crypto';
import { LaunchError } from '../../host/launch-error.js';

export interface MimePart {
  /** In lower case, without parameters. */
  readonly type: string;
  readonly filename: string | undefined;
  readonly headers: ReadonlyMap<string, string>;
  /** As it was before it was encoded. */
  readonly content: string;
}

const newline = '\n';
const maximumDepth = 8;

/** A multipart/mixed message (RFC 2046) of text parts; the same parts give the same text. */
export function writeMultipart(
  parts: readonly { readonly type: string; readonly filename: string; readonly content: string }[],
): string {
  const boundary = freeBoundary(parts.map(({ content }) => content));
  const bodies = parts.map((part) =>
    part.type.startsWith('multipart/') ? nestedMessage(part.content) : textPart(part),
  );
  return [
    `Content-Type: multipart/mixed; boundary="${boundary}"`,
    'MIME-Version: 1.0',
    '',
    ...bodies.flatMap((body) => [`--${boundary}`, body]),
    `--${boundary}--`,
    '',
  ].join(newline);
}

function textPart(part: {
  readonly type: string;
  readonly filename: string;
  readonly content: string;
}): string {
  // Lines that a mail program would break, and what is not ASCII, travel as base64; all else stays readable.
  const plain =
    /^[\t\n\x20-\x7e]*$/.test(part.content) && part.content.endsWith(newline) && !/.{990}/.test(part.content);
  return [
    `Content-Type: ${part.type}; charset="utf-8"`,
    'MIME-Version: 1.0',
    `Content-Transfer-Encoding: ${plain ? '7bit' : 'base64'}`,
    `Content-Disposition: attachment; filename="${part.filename}"`,
    '',
    plain ? part.content : foldBase64(Buffer.from(part.content).toString('base64')),
  ].join(newline);
}

/** A message is a part as it stands, but for the line by which mailboxes divide messages. */
function nestedMessage(content: string): string {
  return content.trimStart().replace(/^From .*\r?\n/, '');
}

function foldBase64(text: string): string {
  return `${(text.match(/.{1,76}/g) ?? []).join(newline)}${newline}`;
}

/** Derived from the content, and in none of it. */
function freeBoundary(contents: readonly string[]): string {
  for (let attempt = 0; ; attempt += 1) {
    const hash = createHash('sha256').update(`${attempt}\0`).update(contents.join('\0')).digest('hex');
    const boundary = `launch-${hash.slice(0, 32)}`;
    if (!contents.some((content) => content.includes(boundary))) return boundary;
  }
}

/**
 * The parts of a multipart message, those of nested ones among them, decoded.
 *
 * @throws LaunchError ARGUMENT_INVALID
 */
export function readMultipart(message: string, depth = 0): readonly MimePart[] {
  const { headers, body } = splitHeaders(nestedMessage(message));
  const contentType = headers.get('content-type') ?? 'text/plain';
  const type = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  if (!type.startsWith('multipart/')) {
    const disposition = headers.get('content-disposition') ?? '';
    const content = decode(body, headers.get('content-transfer-encoding') ?? '');
    return [{ type, filename: parameterOf(disposition, 'filename'), headers, content }];
  }
  const boundary = parameterOf(contentType, 'boundary');
  if (boundary === undefined || boundary === '') throw broken('its Content-Type has no boundary');
  if (depth > maximumDepth) throw broken('it has messages within messages without end');
  const pieces = splitAtBoundary(body, boundary);
  if (pieces.length === 0) throw broken(`its boundary ${JSON.stringify(boundary)} is nowhere in it`);
  return pieces.flatMap((piece) => readMultipart(piece, depth + 1));
}

function splitHeaders(message: string): {
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
} {
  const end = /\r?\n\r?\n/.exec(`${message}\n\n`);
  // A part may begin with its empty line: then it has no headers.
  if (/^\r?\n/.test(message)) return { headers: new Map(), body: message.replace(/^\r?\n/, '') };
  const head = message.slice(0, end?.index ?? message.length).replaceAll(/\r?\n[ \t]+/g, ' ');
  const headers = new Map<string, string>();
  for (const line of head.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return { headers, body: message.slice((end?.index ?? 0) + (end?.[0].length ?? 0)) };
}

function parameterOf(header: string, name: string): string | undefined {
  const found = new RegExp(`;\\s*${name}\\s*=\\s*(?:"([^"]*)"|([^;\\s]+))`, 'i').exec(header);
  return found?.[1] ?? found?.[2];
}

function splitAtBoundary(body: string, boundary: string): readonly string[] {
  const pieces: string[] = [];
  let piece: string[] | undefined;
  for (const line of body.split('\n')) {
    const bare = line.trimEnd();
    if (bare === `--${boundary}` || bare === `--${boundary}--`) {
      // The line break before a boundary is the boundary's.
      if (piece !== undefined) pieces.push(piece.join('\n'));
      piece = [];
      if (bare.endsWith('--') && bare.length > boundary.length + 2) return pieces;
    } else {
      piece?.push(line);
    }
  }
  // Python's parser, which cloud-init uses, does without the last boundary too.
  return piece === undefined ? pieces : [...pieces, piece.join('\n')];
}

function decode(body: string, encoding: string): string {
  switch (encoding.toLowerCase()) {
    case 'base64':
      return Buffer.from(body, 'base64').toString('utf8');
    case 'quoted-printable':
      return Buffer.from(
        body
          .replaceAll(/=\r?\n/g, '')
          .replaceAll(/=([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
        'latin1',
      ).toString('utf8');
    default:
      return body;
  }
}

function broken(reason: string): LaunchError {
  return new LaunchError('ARGUMENT_INVALID', `the multipart user-data cannot be read: ${reason}`, {
    hint: 'cloud-init makes one of several files:  cloud-init devel make-mime -a FILE:TYPE',
  });
}
