import { isMap, isScalar, parseDocument, visit, type Node } from 'yaml';
import { readMultipart } from './mime.js';
import { userDataKind } from './user-data-kind.js';

/** A part of a seed as it can be shown to anybody. */
export interface ShownPart {
  /** MIME type; undefined for what is no user-data. */
  readonly type: string | undefined;
  readonly filename: string | undefined;
  readonly text: string;
}

// Whole values under such keys are masked, and what is assigned to such names in scripts.
const secretName =
  /passwd|password|passphrase|(^|[_-])pass$|secret|token|credential|api[-_]?key|private|random_seed|^psk$/i;
const contentShownBytes = 1024;

/** Documents of a seed without what is private in them; their parts, where they have several. */
export function redactDocument(path: string, text: string): readonly ShownPart[] {
  const name = path.split('/').at(-1) ?? '';
  if (name.endsWith('.json')) return [shown(redactJson(text))];
  if (name !== 'user-data' && name !== 'user_data') return [shown(redactYaml(text))];
  const kind = userDataKind(text);
  if (kind?.kind !== 'multipart') return [shown(redactPart(text))];
  try {
    return readMultipart(text).map((part) => ({
      type: part.type,
      filename: part.filename,
      text: redactPart(part.content),
    }));
  } catch {
    return [shown(redactLines(text))];
  }
}

function shown(text: string): ShownPart {
  return { type: undefined, filename: undefined, text };
}

function redactPart(text: string): string {
  const kind = userDataKind(text)?.kind;
  return kind === 'cloud-config' || kind === 'archive' ? redactYaml(text) : redactLines(text);
}

/** Values are cut out of the text itself, so that all else stays as it was written, comments too. */
function redactYaml(text: string): string {
  const document = parseDocument(text, { version: '1.1', uniqueKeys: false });
  if (document.errors.length > 0) return redactLines(text);
  const cuts: { from: number; to: number; mask: string }[] = [];
  const cut = (node: Node, mask: string) => {
    if (node.range !== undefined && node.range !== null) {
      const [from, to] = node.range;
      cuts.push({ from, to, mask });
    }
    return visit.SKIP;
  };
  visit(document, {
    Pair: (_, { key, value }) => {
      if (!isScalar(key) || typeof value !== 'object' || value === null) return undefined;
      const node = value as Node;
      // Under chpasswd a plain list holds `name:password`.
      if (key.value === 'chpasswd' && isMap(node)) {
        const list = node.get('list', true) as Node | undefined;
        if (list !== undefined) cut(list, maskOf(list));
        return undefined;
      }
      // `lock_passwd: true` says nothing.
      if (!secretName.test(String(key.value)) || (isScalar(node) && typeof node.value === 'boolean')) {
        return undefined;
      }
      return cut(node, maskOf(node));
    },
    Map: (_, map) => {
      const content = map.get('content', true);
      if (!isScalar(content) || typeof content.value !== 'string') return undefined;
      const isEncoded = map.has('encoding');
      const bytes = isEncoded
        ? Buffer.from(content.value, 'base64').length
        : Buffer.byteLength(content.value);
      if (isEncoded || bytes > contentShownBytes) cut(content, `<${bytes} bytes, not shown>`);
      return undefined;
    },
  });
  cuts.sort((a, b) => b.from - a.from);
  let result = text;
  let end = text.length + 1;
  for (const { from, to, mask } of cuts) {
    // A value within one that is cut out already.
    if (to > end) continue;
    const lineEnd = result.slice(from, to).endsWith('\n') ? '\n' : '';
    result = `${result.slice(0, from)}${mask}${lineEnd}${result.slice(to)}`;
    end = from;
  }
  return redactKeys(result);
}

function maskOf(node: Node): string {
  return isScalar(node) && node.value === null ? 'null' : '<not shown>';
}

function redactJson(text: string): string {
  try {
    const parsed: unknown = JSON.parse(text, (key, value: unknown) =>
      secretName.test(key) && typeof value === 'string' ? '<not shown>' : value,
    );
    return `${JSON.stringify(parsed, undefined, 2)}\n`;
  } catch {
    return redactLines(text);
  }
}

/** In scripts: what is assigned to a telling name, and what stands in a URL before the host. */
function redactLines(text: string): string {
  const masked = text
    .replaceAll(/^(.*?\b([\w.-]+)["']?\s*[:=]\s*)(\S.*)$/gm, (line, start: string, name: string) =>
      secretName.test(name) ? `${start}<not shown>` : line,
    )
    .replaceAll(/(\w+:\/\/)[^/\s@]*:[^/\s@]*@/g, '$1<not shown>@');
  return redactKeys(masked);
}

function redactKeys(text: string): string {
  return text.replaceAll(
    /(-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----)[^]*?(-----END [A-Z0-9 ]*PRIVATE KEY-----)/g,
    '$1 <not shown> $2',
  );
}
