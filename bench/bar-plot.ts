import type { Comparison } from './benchmark.js';

const barHeight = 16;
const rowHeight = 22;
const titleHeight = 30;
const labelWidth = 250;
const plotWidth = 420;
const numberWidth = 130;
const width = labelWidth + plotWidth + numberWidth;

/**
 * Bars of the ratios, a group for each measure: the bar is the median, the thin line goes from the least to
 * the most, the dashed one is the reference. Its colours follow the reader's choice of light or dark.
 */
export function renderBarPlot(comparison: Comparison): string {
  const { measures, results, reference } = comparison;
  const most = Math.max(
    1,
    ...results.flatMap(({ ratios }) => measures.map(({ name }) => ratios[name]?.maximum ?? 0)),
  );
  const at = (ratio: number): number => labelWidth + (ratio / (most * 1.02)) * plotWidth;
  const parts: string[] = [];
  let y = 8;
  for (const { name: measure } of measures) {
    parts.push(text(8, y + 19, measure, 'title'));
    y += titleHeight;
    const top = y;
    for (const { name, ratios } of results) {
      const ratio = ratios[measure];
      if (ratio === undefined) continue;
      const middle = y + barHeight / 2;
      parts.push(
        text(labelWidth - 8, middle + 4, name, 'label'),
        `<rect class="${name === reference ? 'reference' : 'bar'}" x="${labelWidth}" y="${y}" width="${round(at(ratio.median) - labelWidth)}" height="${barHeight}" rx="2"/>`,
        `<line class="spread" x1="${round(at(ratio.minimum))}" x2="${round(at(ratio.maximum))}" y1="${middle}" y2="${middle}"/>`,
        text(labelWidth + plotWidth + 8, middle + 4, ratio.median.toFixed(2), 'number'),
      );
      y += rowHeight;
    }
    parts.push(`<line class="one" x1="${round(at(1))}" x2="${round(at(1))}" y1="${top - 4}" y2="${y - 2}"/>`);
    y += 6;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" role="img">
<title>${escape(comparison.title)}: ratios to ${escape(reference)}, less is better</title>
<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 13px }
.label { text-anchor: end }
.bar { fill: #2f6fbf }
.reference { fill: #8c959f }
.spread { stroke: #1f2328; stroke-width: 1.5 }
.one { stroke: #6e7781; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.bar { fill: #539bf5 }
.reference { fill: #6e7681 }
.spread { stroke: #e6edf3 }
.one { stroke: #8b949e }
}
</style>
${parts.join('\n')}
</svg>
`;
}

function text(x: number, y: number, content: string, style: string): string {
  return `<text class="${style}" x="${x}" y="${y}">${escape(content)}</text>`;
}

function round(length: number): string {
  return length.toFixed(1);
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
