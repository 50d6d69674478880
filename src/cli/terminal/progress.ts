import type { WorkEvent } from '../../host/work.js';
import { LiveLines } from './live-lines.js';
import { endedLine, liveLine, noticeLines, progressLogLine, type LiveStep } from './progress-line.js';
import type { Terminal } from './terminal.js';
import { TransferRate } from './transfer-rate.js';

export interface Progress {
  /** Shows an event of long work; give it to the work as `onEvent`. */
  readonly onEvent: (event: WorkEvent) => void;
  /** Takes live lines away and frees timers and cursor. Always call it, in a `finally`. Idempotent. */
  readonly close: () => void;
}

/** Time as progress sees it; tests bring their own. */
export interface ProgressClock {
  /** Milliseconds that never go back. */
  readonly now: () => number;
  /** Calls again and again without keeping the process alive; returns the way to stop it. */
  readonly every: (milliseconds: number, tick: () => void) => () => void;
}

interface LoggedStep extends LiveStep {
  readonly startMessage: string;
  /** When a log next hears of this step. */
  nextLineAt: number;
  startLogged: boolean;
}

const FRAME = 100;
const LOG_CHECK = 500;
const LOG_START_AFTER = 2000;
const LOG_EVERY = 10_000;

const processClock: ProgressClock = {
  now: () => performance.now(),
  every(milliseconds, tick) {
    const timer = setInterval(tick, milliseconds).unref();
    return () => {
      clearInterval(timer);
    };
  },
};

/**
 * Shows what long work tells, on stderr. On a terminal: a live line a running step, then the line that stays
 * (`✔`, `✗`), nothing wider than the window. Without one, no animation: a line a step when it ends; work of
 * more than two seconds is announced, and tells how far it is at most every ten seconds.
 */
export function createProgress(terminal: Terminal, clock: ProgressClock = processClock): Progress {
  const steps = new Map<string, LoggedStep>();
  const liveLines = new LiveLines(terminal);
  let stopTicking: (() => void) | undefined;
  let closed = false;

  const start = (step: string, message: string): void => {
    if (closed) return;
    const now = clock.now();
    steps.set(step, {
      step,
      message,
      startMessage: message,
      startedAt: now,
      rate: new TransferRate(),
      nextLineAt: now + LOG_START_AFTER,
      startLogged: false,
    });
    // Drawn at the next tick: a step shorter than that needs no live line, and log-update takes 80 ms to load.
    stopTicking ??= clock.every(terminal.interactive ? FRAME : LOG_CHECK, draw);
  };

  const end = (mark: '✔' | '✗', step: string, message: string): void => {
    steps.delete(step);
    if (steps.size === 0) stop();
    else draw();
    print([endedLine(mark, step, message, terminal)]);
  };

  const advance = (event: WorkEvent & { type: 'step-progress' }): void => {
    const live = steps.get(event.step);
    // A straggler after the end must not bring the step back to life.
    if (live === undefined) return;
    live.message = event.message;
    live.doneBytes = event.doneBytes;
    live.totalBytes = event.totalBytes;
    if (event.doneBytes !== undefined) live.rate.add(event.doneBytes, clock.now());
  };

  const print = (lines: readonly string[]): void => {
    for (const line of lines) liveLines.print(line);
  };

  const draw = (): void => {
    const now = clock.now();
    if (terminal.interactive) {
      liveLines.show([...steps.values()].map((live) => liveLine(live, now, terminal)));
      return;
    }
    for (const live of steps.values()) {
      if (now < live.nextLineAt) continue;
      print([
        live.startLogged
          ? progressLogLine(live, now, terminal)
          : endedLine('…', live.step, live.startMessage, terminal),
      ]);
      live.startLogged = true;
      live.nextLineAt = now + LOG_EVERY;
    }
  };

  const stop = (): void => {
    stopTicking?.();
    stopTicking = undefined;
    liveLines.show([]);
  };

  return {
    onEvent(event) {
      switch (event.type) {
        case 'step-started':
          start(event.step, event.message);
          break;
        case 'step-progress':
          // Drawn by the clock: there may be thousands a second.
          advance(event);
          break;
        case 'step-done':
          end('✔', event.step, event.message);
          break;
        case 'step-failed':
          end('✗', event.step, event.message);
          break;
        case 'notice':
          print(noticeLines(event.message, terminal));
          break;
        case 'span':
          // For --timings only.
          break;
      }
    },
    close() {
      closed = true;
      steps.clear();
      stop();
    },
  };
}
