import { describe, expect, it } from 'vitest';
import { watchTimings } from '../../../src/host/timings.js';
import { runStep, timed, type WorkEvent } from '../../../src/host/work.js';

/** A clock that only moves when it is told to. */
function newClock() {
  let time = 100;
  return {
    now: () => time,
    pass: (milliseconds: number) => {
      time += milliseconds;
    },
  };
}

describe('timings', () => {
  it('are those of steps, side by side too, in the order in which they began', async () => {
    const clock = newClock();
    const seen: WorkEvent['type'][] = [];
    const timings = watchTimings({ onEvent: (event) => seen.push(event.type) }, clock.now);
    const { onEvent } = timings.work;
    onEvent?.({ type: 'step-started', step: 'base', message: '' });
    clock.pass(30);
    onEvent?.({ type: 'step-started', step: 'digest', message: '' });
    clock.pass(20);
    onEvent?.({ type: 'step-done', step: 'base', message: '' });
    clock.pass(5);
    onEvent?.({ type: 'step-failed', step: 'digest', message: '' });
    onEvent?.({ type: 'step-started', step: 'ssh', message: '' });
    clock.pass(7);
    expect(timings.read()).toEqual([
      { name: 'base', startMs: 100, lengthMs: 50, outcome: 'done' },
      { name: 'digest', startMs: 130, lengthMs: 25, outcome: 'failed' },
      { name: 'ssh', startMs: 155, lengthMs: 7, outcome: 'running' },
    ]);
    // Who watched before still does.
    expect(seen).toEqual(['step-started', 'step-started', 'step-done', 'step-failed', 'step-started']);
  });

  it('put what holds others before them', () => {
    const clock = newClock();
    const timings = watchTimings({}, clock.now);
    const { onEvent } = timings.work;
    onEvent?.({ type: 'span', name: 'render', startMs: 100, endMs: 101 });
    onEvent?.({ type: 'step-started', step: 'domain', message: '' });
    clock.pass(10);
    onEvent?.({ type: 'span', name: 'define', startMs: 101, endMs: 110 });
    expect(timings.read().map(({ name }) => name)).toEqual(['domain', 'render', 'define']);
  });

  it('have what is timed though it fails, and a step that is told twice once', async () => {
    const timings = watchTimings({});
    const failing = timed(timings.work, 'convert', () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    await runStep(timings.work, 'base', '', async () => 1, String);
    timings.work.onEvent?.({ type: 'step-done', step: 'base', message: 'again' });
    expect(timings.read().map(({ name, outcome }) => [name, outcome])).toEqual([
      ['convert', 'done'],
      ['base', 'done'],
    ]);
  });

  it('leave the signal where it was', () => {
    const { signal } = new AbortController();
    expect(watchTimings({ signal }).work.signal).toBe(signal);
  });
});
