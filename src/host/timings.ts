import type { Work, WorkEvent } from './work.js';

/** One piece of work: when it began and how long it took, in milliseconds since the process started. */
export interface Timing {
  readonly name: string;
  readonly startMs: number;
  readonly lengthMs: number;
  readonly outcome: 'done' | 'failed' | 'running';
}

export interface Timings {
  /** The work as it was given, which is now also watched. */
  readonly work: Work;
  /** What has been told until now, in the order in which it began. */
  read(): readonly Timing[];
}

/**
 * Watches what long work tells of its steps and spans. Times are those of `performance.now`, whose zero is
 * the start of the process.
 */
export function watchTimings(work: Work, now: () => number = () => performance.now()): Timings {
  const ended: Timing[] = [];
  const running = new Map<string, number>();
  const end = (step: string, outcome: 'done' | 'failed'): void => {
    const startMs = running.get(step);
    if (startMs === undefined) return;
    running.delete(step);
    ended.push({ name: step, startMs, lengthMs: now() - startMs, outcome });
  };
  const watch = (event: WorkEvent): void => {
    switch (event.type) {
      case 'step-started':
        running.set(event.step, now());
        break;
      case 'step-done':
        end(event.step, 'done');
        break;
      case 'step-failed':
        end(event.step, 'failed');
        break;
      case 'span': {
        const { name, startMs, endMs } = event;
        ended.push({ name, startMs, lengthMs: endMs - startMs, outcome: 'done' });
        break;
      }
      case 'step-progress':
      case 'notice':
        break;
    }
  };
  return {
    work: {
      ...work,
      onEvent: (event) => {
        watch(event);
        work.onEvent?.(event);
      },
    },
    read: () => {
      const open = [...running].map(([name, startMs]): Timing => {
        return { name, startMs, lengthMs: now() - startMs, outcome: 'running' };
      });
      // What holds others comes before them when both began in the same moment.
      return [...ended, ...open].sort((a, b) => a.startMs - b.startMs || b.lengthMs - a.lengthMs);
    },
  };
}
