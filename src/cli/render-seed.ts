import type { ShownSeed } from '../instance/seed/show-seed.js';
import { escapeControls } from './terminal/escape.js';

/** Each document under its name; of the same one under several names, the names. */
export function renderSeed(seed: ShownSeed): string {
  const blocks = new Map<string, string[]>();
  for (const { path, parts } of seed.documents) {
    const text = parts.map((part) => `${titleOf(part, parts.length)}${withEnd(part.text)}`).join('\n');
    blocks.set(text, [...(blocks.get(text) ?? []), path]);
  }
  const head = `${seed.domainName}  ${seed.kind}, label ${seed.label}, host name ${seed.hostname}\n${seed.path}\n`;
  const documents = [...blocks].map(
    ([text, paths]) => `\n${paths.map((path) => `── ${escapeControls(path)}\n`).join('')}${text}`,
  );
  return head + documents.join('');
}

function titleOf(part: ShownSeed['documents'][number]['parts'][number], count: number): string {
  if (part.type === undefined) return '';
  const name = part.filename === undefined ? '' : `  ${part.filename}`;
  return count === 0 ? '' : `─ part ${escapeControls(part.type + name)}\n`;
}

/** Lines stay lines; what could move the cursor does not. */
function withEnd(text: string): string {
  const escaped = text.replaceAll(/[^\n\t]+/g, escapeControls);
  return escaped === '' || escaped.endsWith('\n') ? escaped : `${escaped}\n`;
}
