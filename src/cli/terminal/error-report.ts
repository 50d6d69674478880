import { inspect } from 'node:util';
import pc from 'picocolors';

import { LaunchError } from '../../host/launch-error.js';
import { findExplainingCheck } from './doctor-hint.js';
import { escapeControls, safeJson } from './escape.js';
import type { Terminal } from './terminal.js';

interface ReportOptions {
  readonly format: 'text' | 'json';
  /** Adds stacks, of the causes too. Text only. */
  readonly verbose: boolean;
}

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_BUG = 70;
const EXIT_INTERRUPTED = 130;

/**
 * Tells on stderr what went wrong and returns the exit code: 1 refused or failed, 2 usage, 130 interrupted,
 * 70 for anything but a LaunchError, which is a bug of ours.
 *
 * As text: `launch: <message>`, the causes that add something, one line each, then the hint's lines indented
 * by two spaces. The message is always one line, so that a hostile name in it cannot pose as a hint;
 * newlines in the hint are layout. As JSON, on one line:
 * `{"error":{"code","message","hint"?,"details"?,"doctor"?}}`, where `doctor` is the check of `launch doctor`
 * that explains it; a bug has the code INTERNAL and its stack in the details.
 */
export function reportError(error: unknown, terminal: Terminal, options: ReportOptions): number {
  if (options.format === 'json') {
    terminal.err(`${safeJson({ error: describe(error) })}\n`);
  } else {
    const lines = error instanceof LaunchError ? failureLines(error, options) : bugLines(error);
    const prefix = pc.createColors(terminal.colour).red('launch:');
    terminal.err(`${prefix} ${lines.join('\n')}\n`);
  }
  return exitCode(error);
}

function exitCode(error: unknown): number {
  if (!(error instanceof LaunchError)) return EXIT_BUG;
  if (error.code === 'INTERRUPTED') return EXIT_INTERRUPTED;
  if (error.code === 'ARGUMENT_INVALID' || error.code === 'NAME_INVALID') return EXIT_USAGE;
  return EXIT_FAILED;
}

function describe(error: unknown): Readonly<Record<string, unknown>> {
  if (error instanceof LaunchError) {
    const { code, message, hint, details } = error;
    return { code, message, hint, details, doctor: findExplainingCheck(error) };
  }
  const details = { stack: inspect(error) };
  return { code: 'INTERNAL', message: messageOf(error), hint: 'please report it', details };
}

function failureLines(error: LaunchError, { verbose }: ReportOptions): string[] {
  // The cause of an interruption is the signal: it says nothing that the person did not do.
  const causes = error.code === 'INTERRUPTED' ? [] : causeLines(error);
  const hint = error.hint?.split('\n') ?? [];
  return [
    escapeControls(error.message),
    ...causes.map((line) => `  cause: ${line}`),
    ...hint.map((line) => `  ${escapeControls(line)}`),
    ...doctorLines(error),
    ...(verbose ? stackLines(error) : []),
  ];
}

/** A failure that is the host's tells who can explain it, unless its own hint did. */
function doctorLines(error: LaunchError): string[] {
  const check = findExplainingCheck(error);
  if (check === undefined || error.hint?.includes('launch doctor') === true) return [];
  return [`  what is wrong with this host:  launch doctor ${check}`];
}

function bugLines(error: unknown): string[] {
  return [
    `internal error: ${escapeControls(messageOf(error))}`,
    '  this is a bug of launch, please report it with what follows',
    ...stackLines(error),
  ];
}

/** The causes from near to far, the errors within an AggregateError too; none that was said already. */
function causeLines(error: Error): string[] {
  const told = [error.message];
  const lines: string[] = [];
  const seen = new Set<unknown>([error]);
  const visit = (cause: unknown): void => {
    if (cause === undefined || cause === null || seen.has(cause)) return;
    seen.add(cause);
    const line = firstLine(messageOf(cause));
    if (!told.some((earlier) => earlier.includes(line))) {
      told.push(line);
      lines.push(escapeControls(line));
    }
    if (cause instanceof AggregateError) cause.errors.forEach(visit);
    if (cause instanceof Error) visit(cause.cause);
  };
  visit(error.cause);
  return lines;
}

function stackLines(error: unknown): string[] {
  return inspect(error, { depth: 4 })
    .split('\n')
    .map((line) => `    ${escapeControls(line)}`);
}

function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message === '' ? error.name : error.message;
  return typeof error === 'string' ? error : inspect(error, { breakLength: Infinity });
}

function firstLine(text: string): string {
  return (
    text
      .split('\n')
      .map((line) => line.trim())
      .find((line) => line !== '') ?? ''
  );
}
