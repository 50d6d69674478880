import type { Timing } from '../host/timings.js';
import { renderNovaTable } from './terminal/table.js';

/** Columns of the picture beside the numbers. */
const pictureWidth = 40;

/**
 * When each piece of work began, how long it took, and a picture of both: pieces side by side lie one under
 * the other.
 */
export function renderTimings(timings: readonly Timing[]): string {
  const endMs = Math.max(0, ...timings.map(({ startMs, lengthMs }) => startMs + lengthMs));
  return renderNovaTable(
    [
      { title: 'Work' },
      { title: 'Begins', align: 'right' },
      { title: 'Takes', align: 'right' },
      { title: `0 to ${seconds(endMs)}` },
    ],
    timings.map((timing) => [
      timing.outcome === 'done' ? timing.name : `${timing.name} (${timing.outcome})`,
      seconds(timing.startMs),
      seconds(timing.lengthMs),
      picture(timing, endMs),
    ]),
  );
}

/**
 * The Trace Event Format that chrome://tracing and ui.perfetto.dev read: complete events (`ph` X), times in
 * microseconds. Pieces that overlap without one holding the other get lanes of their own, as threads.
 */
export function renderTrace(command: string, timings: readonly Timing[]): string {
  const lanes: Timing[][] = [];
  const traceEvents = timings.map((timing) => {
    const lane = lanes.findIndex((members) => members.every((member) => fitsBeside(member, timing)));
    const thread = lane === -1 ? lanes.push([]) - 1 : lane;
    lanes[thread]?.push(timing);
    return {
      name: timing.name,
      cat: 'launch',
      ph: 'X',
      ts: Math.round(timing.startMs * 1000),
      dur: Math.round(timing.lengthMs * 1000),
      pid: 1,
      tid: thread + 1,
      args: { outcome: timing.outcome },
    };
  });
  const named = { name: 'process_name', ph: 'M', pid: 1, args: { name: command } };
  return `${JSON.stringify({ displayTimeUnit: 'ms', traceEvents: [named, ...traceEvents] })}\n`;
}

/** One after the other, or one within the other. */
function fitsBeside(a: Timing, b: Timing): boolean {
  const [endOfA, endOfB] = [a.startMs + a.lengthMs, b.startMs + b.lengthMs];
  if (endOfA <= b.startMs || endOfB <= a.startMs) return true;
  return (a.startMs <= b.startMs && endOfB <= endOfA) || (b.startMs <= a.startMs && endOfA <= endOfB);
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(3)} s`;
}

function picture({ startMs, lengthMs }: Timing, endMs: number): string {
  const column = (ms: number) => Math.round((ms / Math.max(endMs, 1)) * pictureWidth);
  const first = Math.min(column(startMs), pictureWidth - 1);
  const last = Math.max(column(startMs + lengthMs), first + 1);
  return ' '.repeat(first) + '━'.repeat(last - first);
}
