import { describe, expect, it } from 'vitest';
import { renderTimings, renderTrace } from '../../../src/cli/render-timings.js';
import type { Timing } from '../../../src/host/timings.js';

const timings: readonly Timing[] = [
  { name: 'start', startMs: 0, lengthMs: 250, outcome: 'done' },
  { name: 'base', startMs: 250, lengthMs: 500, outcome: 'done' },
  { name: 'convert', startMs: 300, lengthMs: 400, outcome: 'done' },
  { name: 'digest', startMs: 700, lengthMs: 300, outcome: 'failed' },
];

describe('timings for people', () => {
  it('are a table with a picture', () => {
    expect(renderTimings(timings)).toBe(
      [
        '+-----------------+---------+---------+------------------------------------------+',
        '| Work            |  Begins |   Takes | 0 to 1.000 s                             |',
        '+-----------------+---------+---------+------------------------------------------+',
        '| start           | 0.000 s | 0.250 s | ━━━━━━━━━━                               |',
        '| base            | 0.250 s | 0.500 s |           ━━━━━━━━━━━━━━━━━━━━           |',
        '| convert         | 0.300 s | 0.400 s |             ━━━━━━━━━━━━━━━━             |',
        '| digest (failed) | 0.700 s | 0.300 s |                             ━━━━━━━━━━━━ |',
        '+-----------------+---------+---------+------------------------------------------+',
        '',
      ].join('\n'),
    );
  });

  it('show what took no time at all', () => {
    const rows = renderTimings([{ name: 'render', startMs: 0, lengthMs: 0, outcome: 'done' }]).split('\n');
    expect(rows[3]).toContain('━');
  });
});

describe('timings as a trace', () => {
  it('are complete events in microseconds, with a lane for what overlaps', () => {
    const { traceEvents } = JSON.parse(renderTrace('launch', timings)) as {
      traceEvents: readonly Record<string, unknown>[];
    };
    expect(traceEvents[0]).toMatchObject({ ph: 'M', name: 'process_name' });
    expect(traceEvents.slice(1).map(({ name, ph, ts, dur, tid }) => [name, ph, ts, dur, tid])).toEqual([
      ['start', 'X', 0, 250_000, 1],
      ['base', 'X', 250_000, 500_000, 1],
      // Within the base: the same lane.
      ['convert', 'X', 300_000, 400_000, 1],
      // Begins within the base and ends after it.
      ['digest', 'X', 700_000, 300_000, 2],
    ]);
  });
});
