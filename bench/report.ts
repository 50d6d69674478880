import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { renderBarPlot } from './bar-plot.js';
import type { Benchmark, Comparison } from './benchmark.js';
import type { Spread } from './measure.js';

export interface Measured {
  readonly benchmark: Benchmark;
  readonly comparisons: readonly Comparison[];
  readonly machine: readonly string[];
  readonly when: Date;
}

/** A benchmark's section of the page, between markers that the next run finds again. */
export function renderSection({ benchmark, comparisons, machine, when }: Measured): string {
  return [
    marker(benchmark.name, 'begin'),
    `## ${benchmark.title}`,
    `Measured on ${when.toISOString().slice(0, 10)} by \`npm run bench -- ${benchmark.name}\`:`,
    machine.map((line) => `- ${line}`).join('\n'),
    ...comparisons.flatMap((comparison) => [
      `### ${comparison.title}`,
      comparison.text,
      renderTable(comparison),
      `![${comparison.title}: ratios](performance/${plotName(benchmark, comparison)})`,
    ]),
    marker(benchmark.name, 'end'),
  ].join('\n\n');
}

function marker(name: string, end: 'begin' | 'end'): string {
  return `<!-- bench ${name}: ${end} -->`;
}

function plotName(benchmark: Benchmark, comparison: Comparison): string {
  return `${benchmark.name}-${comparison.id}.svg`;
}

/** Each cell: the median, and in bold the ratio to the reference with its least and its most. */
export function renderTable({ measures, results, reference }: Comparison): string {
  const rows = results.map(({ name, values, ratios }) => [
    name === reference ? `${name} (1)` : name,
    ...measures.map((measure) => {
      const value = values[measure.name];
      if (value === undefined) return '';
      const ratio = name === reference ? undefined : ratios[measure.name];
      return `${digits(value.median)} ${measure.unit}${ratio === undefined ? '' : ` · ${renderRatio(ratio)}`}`;
    }),
  ]);
  return [['', ...measures.map(({ name }) => name)], measures.map(() => '---:'), ...rows]
    .map((cells, index) => `| ${(index === 1 ? ['---', ...cells] : cells).join(' | ')} |`)
    .join('\n');
}

function renderRatio({ median, minimum, maximum }: Spread): string {
  return `**${median.toFixed(2)}** (${minimum.toFixed(2)}–${maximum.toFixed(2)})`;
}

/** Three digits that mean something. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** Puts a section in its old one's place, or at the end. */
export function replaceSection(page: string, name: string, section: string): string {
  const begin = page.indexOf(marker(name, 'begin'));
  const end = page.indexOf(marker(name, 'end'));
  if (begin < 0 || end < begin) return `${page.trimEnd()}\n\n${section}\n`;
  return page.slice(0, begin) + section + page.slice(end + marker(name, 'end').length);
}

/** Writes the section into the page, and the plots beside it. */
export async function writeReport(pagePath: string, measured: Measured): Promise<void> {
  const page = await readFile(pagePath, 'utf8');
  const replaced = replaceSection(page, measured.benchmark.name, renderSection(measured));
  await writeFile(
    pagePath,
    await format(replaced, { ...(await resolveConfig(pagePath)), filepath: pagePath }),
  );
  for (const comparison of measured.comparisons) {
    const path = join(dirname(pagePath), 'performance', plotName(measured.benchmark, comparison));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, renderBarPlot(comparison));
  }
}
