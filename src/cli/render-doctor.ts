import type {
  AppliedFix,
  CheckReport,
  HealthReport,
  ReportedProblem,
} from '../instance/doctor/examine-host.js';
import { displayWidth, foldToWidth } from './terminal/display-width.js';
import { escapeControls } from './terminal/escape.js';
import { renderNovaTable } from './terminal/table.js';

interface HealthView {
  readonly columns: number;
  /** Checks were asked for by name: what they saw is told in detail. */
  readonly isDetailed: boolean;
}

const checkColumns = 9;
const statusColumns = 7;
const borderColumns = 10;
const indent = '         ';

/** A row a check; below it what is wrong, why it matters and what to do. */
export function renderHealth(report: HealthReport, view: HealthView): string {
  const problems = report.checks.flatMap(({ id, problems: found }) =>
    found.map((problem) => ({ id, problem })),
  );
  const parts = [
    ...(report.fixes.length === 0 ? [] : [report.fixes.map((fix) => renderFix(fix, view)).join('')]),
    renderTable(report.checks, view),
    ...(view.isDetailed
      ? report.checks.filter(({ details }) => details.length > 0).map((check) => renderDetails(check, view))
      : []),
    ...problems.map(({ id, problem }) => renderProblem(id, problem, view)),
    ...renderAdvice(report),
  ];
  return parts.join('\n');
}

function renderTable(checks: readonly CheckReport[], { columns }: HealthView): string {
  const width = Math.max(30, columns - checkColumns - statusColumns - borderColumns);
  const rows = checks.flatMap(({ id, status, found }) =>
    // Controls are escaped first: a line is to be as wide as it will look.
    foldToWidth(escapeControls(found), width).map((line, at) =>
      at === 0 ? [id, status, line] : ['', '', line],
    ),
  );
  return renderNovaTable([{ title: 'Check' }, { title: 'Status' }, { title: 'Found' }], rows);
}

function renderDetails({ id, details }: CheckReport, { columns }: HealthView): string {
  const lines = details.flatMap((line) => foldIndented(`  ${escapeControls(line)}`, columns));
  return [id, ...lines, ''].join('\n');
}

/** What goes on in the next line stands a little further in. */
function foldIndented(line: string, columns: number): readonly string[] {
  const margin = /^ */.exec(line)?.[0] ?? '';
  if (displayWidth(line) <= columns) return [line];
  const folded = foldToWidth(line.trimStart(), Math.max(30, columns - margin.length - 2));
  return folded.map((part, at) => `${margin}${at === 0 ? '' : '  '}${part}`);
}

function renderProblem(id: string, problem: ReportedProblem, { columns }: HealthView): string {
  const { level, found, why, cure } = problem;
  const command = cure.command === undefined ? [] : [`${indent}${escapeControls(cure.command)}`];
  return [
    ...labelled(level, `${id}: ${found}`, columns),
    ...labelled('  why', why, columns),
    ...labelled(cure.automatic ? '  cure *' : '  cure', cure.text, columns),
    // To be copied, so never folded.
    ...command,
    '',
  ].join('\n');
}

/** A title, and behind it text that goes on below itself. */
function labelled(title: string, text: string, columns: number): readonly string[] {
  if (text === '') return [];
  const lines = foldToWidth(escapeControls(text), Math.max(30, columns - indent.length));
  return lines.map((line, at) => `${at === 0 ? title.padEnd(indent.length) : indent}${line}`);
}

function renderFix({ check, problem, done, failure }: AppliedFix, { columns }: HealthView): string {
  const lines =
    done === undefined
      ? labelled('not done', `${check}: ${problem}: ${failure ?? ''}`, columns)
      : labelled('done', `${check}: ${done}`, columns);
  return lines.map((line) => `${line}\n`).join('');
}

function renderAdvice({ checks, fixes }: HealthReport): readonly string[] {
  const automatic = checks.flatMap(({ problems }) => problems).filter(({ cure }) => cure.automatic).length;
  if (automatic === 0 || fixes.length > 0) return [];
  return [`* ${automatic === 1 ? 'is' : `${automatic} are`} applied by:  launch doctor --fix\n`];
}
