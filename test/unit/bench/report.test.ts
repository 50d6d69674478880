import { describe, expect, it } from 'vitest';

import { renderBarPlot } from '../../../bench/bar-plot.js';
import type { Comparison } from '../../../bench/benchmark.js';
import { renderSection, renderTable, replaceSection } from '../../../bench/report.js';
import { readXml } from '../../../src/domain/read-xml.js';

const same = (value: number) => ({ median: value, minimum: value, maximum: value });

const comparison: Comparison = {
  id: 'ways',
  title: 'Ways & means',
  text: 'What it is.',
  reference: 'by <hand>',
  measures: [
    { name: 'time', unit: 's' },
    { name: 'memory', unit: 'MiB' },
  ],
  results: [
    { name: 'by <hand>', values: { time: same(2), memory: same(1234) }, ratios: { time: same(1) } },
    {
      name: 'ours',
      values: { time: same(0.0123) },
      ratios: { time: { median: 0.5, minimum: 0.4, maximum: 0.75 } },
    },
  ],
};
const benchmark = { name: 'some', title: 'Something', run: () => Promise.resolve([]) };
const section = renderSection({
  benchmark,
  comparisons: [comparison],
  machine: ['2 × a processor'],
  when: new Date('2026-01-02T03:04:05Z'),
});

describe('renderTable', () => {
  it('shows medians, and ratios with least and most', () => {
    expect(renderTable(comparison).split('\n')).toEqual([
      '|  | time | memory |',
      '| --- | ---: | ---: |',
      '| by <hand> (1) | 2.00 s | 1234 MiB |',
      '| ours | 0.0123 s · **0.50** (0.40–0.75) |  |',
    ]);
  });
});

describe('replaceSection', () => {
  it('adds a section at the end, and later writes it in its place', () => {
    const page = '# Performance\n\nWords.\n';
    const added = replaceSection(page, 'some', section);
    expect(added.startsWith(page)).toBe(true);
    expect(added).toContain('by `npm run bench -- some`:\n\n- 2 × a processor');
    const between = `${added}\n## More words\n`;
    const replaced = replaceSection(between, 'some', section.replace('a processor', 'another processor'));
    expect(replaced).toBe(between.replace('a processor', 'another processor'));
  });

  it('leaves the sections of other benchmarks', () => {
    const other = section.replaceAll('bench some', 'bench other');
    const page = replaceSection(replaceSection('# P\n', 'other', other), 'some', section);
    expect(page).toContain('<!-- bench other: begin -->');
    expect(page).toContain('<!-- bench some: begin -->');
  });
});

describe('renderBarPlot', () => {
  const plot = renderBarPlot(comparison);

  it('is a document that can be read, whatever is in the names', () => {
    expect(() => readXml(plot.replace(/<style>[^]*<\/style>/, ''))).not.toThrow();
    expect(plot).toContain('by &lt;hand&gt;');
  });

  it('has a bar for each ratio, as long as it is, and colours for the dark', () => {
    const widths = [...plot.matchAll(/<rect class="(\w+)"[^>]* width="([\d.]+)"/g)].map((found) => [
      found[1],
      Number(found[2]),
    ]);
    expect(widths.map(([kind]) => kind)).toEqual(['reference', 'bar']);
    expect(Number(widths[1]?.[1]) / Number(widths[0]?.[1])).toBeCloseTo(0.5, 2);
    expect(plot).toContain('prefers-color-scheme: dark');
  });
});
