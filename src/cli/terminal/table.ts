import { displayWidth, padToWidth } from './display-width.js';
import { escapeControls } from './escape.js';

interface TableColumn {
  readonly title: string;
  /** Sizes and counts go right, so that digits stand below each other. Left when it is not said. */
  readonly align?: 'left' | 'right' | undefined;
}

/**
 * The box that the Nova and Glance clients draw, ending in a newline; without rows it is the header alone.
 * A row has one cell a column. Control characters in cells are shown escaped, so each row is one line.
 */
export function renderNovaTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
): string {
  const cells = rows.map((row) => row.map(escapeControls));
  const widths = columns.map(({ title }, index) =>
    Math.max(displayWidth(title), ...cells.map((row) => displayWidth(row[index] ?? ''))),
  );
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`;
  const line = (texts: readonly string[]): string =>
    `|${widths.map((width, index) => ` ${pad(texts[index] ?? '', width, columns[index]?.align)} `).join('|')}|`;
  const head = line(columns.map(({ title }) => title));
  const body = cells.length === 0 ? [] : [...cells.map(line), rule];
  return [rule, head, rule, ...body, ''].join('\n');
}

function pad(text: string, width: number, align: TableColumn['align']): string {
  return align === 'right' ? ' '.repeat(width - displayWidth(text)) + text : padToWidth(text, width);
}

interface BlockDevice {
  readonly target: string;
  /** Nothing for an empty drive. */
  readonly source?: string | undefined;
}

/** What `virsh domblklist` printed with libvirt 0.10, with its dashes and the empty line at the end. */
export function renderDomblklist(devices: readonly BlockDevice[]): string {
  const line = (target: string, source: string): string => `${padToWidth(target, 10)} ${source}\n`;
  const rows = devices.map(({ target, source }) =>
    line(escapeControls(target), source === undefined ? '-' : escapeControls(source)),
  );
  return `${line('Target', 'Source')}${'-'.repeat(48)}\n${rows.join('')}\n`;
}
