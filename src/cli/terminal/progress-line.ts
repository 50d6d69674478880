import { formatBytes } from '../../host/units.js';
import pc from 'picocolors';

import { cutToWidth, displayWidth, foldToWidth, padToWidth } from './display-width.js';
import { escapeControls } from './escape.js';
import type { Terminal } from './terminal.js';
import type { TransferRate } from './transfer-rate.js';
import { formatDuration, formatPercent } from './units.js';

/** A step that has started and not ended. Times are the progress clock's milliseconds. */
export interface LiveStep {
  readonly step: string;
  message: string;
  readonly startedAt: number;
  readonly rate: TransferRate;
  doneBytes?: number | undefined;
  totalBytes?: number | undefined;
}

type Mark = '✔' | '✗' | '!' | '…' | 'spinner';

const SPINNER = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
const STEP_COLUMN = 11;
const BAR_COLUMNS = 17;
const GAP = '  ';
// A message cut to less than this says nothing; the bar goes before that.
const SHORTEST_MESSAGE = 12;
// How long a step without bytes runs before the time it has taken is shown.
const ELAPSED_FROM = 2000;

/** `  ✔ base       _base/06a057b9…_20, 740 MiB on disk of 20 GiB`; cut to one line on a terminal. */
export function endedLine(mark: '✔' | '✗' | '…', step: string, message: string, terminal: Terminal): string {
  return markedLine(mark, stepColumn(step) + escapeControls(message), terminal);
}

/** `  ! …`: a notice is a sentence to be read, so on a terminal it is folded at spaces instead of cut. */
export function noticeLines(message: string, terminal: Terminal): string[] {
  const text = escapeControls(message);
  if (!terminal.interactive) return [markedLine('!', text, terminal)];
  const [first = '', ...more] = foldToWidth(text, textColumns(terminal));
  return [markedLine('!', first, terminal), ...more.map((line) => `    ${line}`)];
}

/**
 * The live line of a step, for example
 * `  ⠙ base       converting to raw  ███████████░░░░░░  64 %  412 MiB/s  1 s left`.
 * On a narrow terminal the bar goes first, then the end of the message, so that the figures stay.
 */
export function liveLine(live: LiveStep, now: number, terminal: Terminal): string {
  const start = stepColumn(live.step);
  const message = escapeControls(live.message);
  const figures = figuresOf(live, now).map((figure) => GAP + figure);
  const bar = barOf(live);
  const room = textColumns(terminal) - displayWidth(start) - displayWidth(figures.join(''));
  const roomBesideBar = room - (bar === undefined ? 0 : BAR_COLUMNS + GAP.length);
  const showsBar =
    bar !== undefined && roomBesideBar >= Math.min(displayWidth(message), 2 * SHORTEST_MESSAGE);
  const shownMessage = cutToWidth(message, Math.max(SHORTEST_MESSAGE, showsBar ? roomBesideBar : room));
  const text = `${start}${shownMessage}${showsBar ? GAP + bar : ''}${figures.join('')}`;
  return markedLine('spinner', text, terminal, now - live.startedAt);
}

/** The line that tells a log how far a step is: as on a terminal, without spinner and bar. */
export function progressLogLine(live: LiveStep, now: number, terminal: Terminal): string {
  const text = stepColumn(live.step) + escapeControls(live.message);
  return markedLine('…', [text, ...figuresOf(live, now)].join(GAP), terminal);
}

/** How far, how fast and how long still, as far as it is known. */
function figuresOf({ doneBytes, totalBytes, rate, startedAt }: LiveStep, now: number): string[] {
  if (doneBytes === undefined) {
    const elapsed = now - startedAt;
    return elapsed < ELAPSED_FROM ? [] : [formatDuration(Math.floor(elapsed / 1000) * 1000)];
  }
  const fraction = fractionOf(doneBytes, totalBytes);
  const figures = [
    fraction === undefined ? formatBytes(doneBytes) : formatPercent(Math.floor(fraction * 100) / 100),
  ];
  const bytesPerSecond = rate.bytesPerSecond(now);
  if (bytesPerSecond !== undefined) figures.push(`${formatBytes(bytesPerSecond)}/s`);
  const left = totalBytes === undefined ? undefined : rate.timeLeft(totalBytes, now);
  if (left !== undefined) figures.push(`${formatDuration(Math.ceil(left / 1000) * 1000)} left`);
  return figures;
}

function barOf({ doneBytes, totalBytes }: LiveStep): string | undefined {
  const fraction = fractionOf(doneBytes, totalBytes);
  if (fraction === undefined) return undefined;
  // Only what is complete fills the bar.
  const filled = fraction === 1 ? BAR_COLUMNS : Math.min(BAR_COLUMNS - 1, Math.round(fraction * BAR_COLUMNS));
  return '█'.repeat(filled) + '░'.repeat(BAR_COLUMNS - filled);
}

function fractionOf(doneBytes: number | undefined, totalBytes: number | undefined): number | undefined {
  if (doneBytes === undefined || totalBytes === undefined || totalBytes <= 0) return undefined;
  return Math.min(1, Math.max(0, doneBytes / totalBytes));
}

function stepColumn(step: string): string {
  return padToWidth(`${escapeControls(step)}${GAP}`, STEP_COLUMN);
}

function markedLine(mark: Mark, text: string, terminal: Terminal, elapsed = 0): string {
  const colours = pc.createColors(terminal.colour);
  const symbol = {
    '✔': colours.green('✔'),
    '✗': colours.red('✗'),
    '!': colours.yellow('!'),
    '…': '…',
    spinner: colours.cyan(SPINNER[Math.floor(elapsed / 100) % SPINNER.length] ?? ''),
  }[mark];
  return `  ${symbol} ${terminal.interactive ? cutToWidth(text, textColumns(terminal)) : text}`;
}

// One column stays free: some terminals break the line as soon as the last one is filled.
function textColumns(terminal: Terminal): number {
  return Math.max(0, terminal.columns - 4 - 1);
}
