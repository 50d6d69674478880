import { describe, expect, it } from 'vitest';

import { checkInterrupted, runStep, type WorkEvent } from '../../../src/host/work.js';
import { launchErrorOf } from './launch-error-of.js';

function recorder() {
  const events: WorkEvent[] = [];
  return { events, work: { onEvent: (event: WorkEvent) => events.push(event) } };
}

describe('runStep', () => {
  it('tells the start, the progress and the end, and returns the result', async () => {
    const { events, work } = recorder();
    const result = await runStep(
      work,
      'base',
      'making the base',
      async (progress) => {
        progress('waiting');
        progress('converting', 0, 10);
        progress('converting', 10, 10);
        return 7;
      },
      (value) => `made ${value}`,
    );
    expect(result).toBe(7);
    expect(events).toEqual([
      { type: 'step-started', step: 'base', message: 'making the base' },
      { type: 'step-progress', step: 'base', message: 'waiting' },
      { type: 'step-progress', step: 'base', message: 'converting', doneBytes: 0, totalBytes: 10 },
      { type: 'step-progress', step: 'base', message: 'converting', doneBytes: 10, totalBytes: 10 },
      { type: 'step-done', step: 'base', message: 'made 7' },
    ]);
    expect(events[1]).not.toHaveProperty('doneBytes');
  });

  it('tells the failure and throws the same error', async () => {
    const { events, work } = recorder();
    const failure = new Error('no');
    const step = runStep(
      work,
      'base',
      'making the base',
      () => Promise.reject(failure),
      () => '',
    );
    await expect(step).rejects.toBe(failure);
    expect(events.map(({ type }) => type)).toEqual(['step-started', 'step-failed']);
  });

  it('does not begin when the end was asked for, and says nothing', async () => {
    const { events, work } = recorder();
    let ran = false;
    const step = runStep(
      { ...work, signal: AbortSignal.abort('SIGTERM') },
      'base',
      'making the base',
      async () => {
        ran = true;
      },
      () => '',
    );
    const error = await launchErrorOf(step);
    expect([error.code, error.cause, ran, events]).toEqual(['INTERRUPTED', 'SIGTERM', false, []]);
  });

  it('works for a caller who does not listen', async () => {
    const result = await runStep(
      {},
      'base',
      'making',
      async (progress) => {
        progress('half', 1, 2);
        return 'made';
      },
      String,
    );
    expect(result).toBe('made');
  });
});

describe('checkInterrupted', () => {
  it('throws only once the caller has asked for the end', async () => {
    const controller = new AbortController();
    checkInterrupted({});
    checkInterrupted({ signal: controller.signal });
    controller.abort('SIGINT');
    const error = await launchErrorOf(() => {
      checkInterrupted({ signal: controller.signal });
    });
    expect(error.code).toBe('INTERRUPTED');
  });
});
