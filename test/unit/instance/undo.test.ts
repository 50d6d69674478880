import { describe, expect, it } from 'vitest';

import { LaunchError } from '../../../src/host/launch-error.js';
import { asMaker, LeftoversError, takeGoneMakers } from '../../../src/host/maker.js';
import type { WorkEvent } from '../../../src/host/work.js';
import { UndoStack } from '../../../src/instance/undo.js';
import { newHome } from '../host/new-home.js';

describe('invariant 5: each step has its undo, in reverse order', () => {
  it('runs none when the work is done', async () => {
    const undo = new UndoStack();
    const undone: string[] = [];
    const result = await undo.guard({}, async () => {
      undo.push('the disk', async () => {
        undone.push('disk');
      });
      return 'launched';
    });
    expect([result, undone]).toEqual(['launched', []]);
  });

  it('takes back what was done, the last first, one after the other, and throws the same error', async () => {
    const undo = new UndoStack();
    const undone: string[] = [];
    const failure = new LaunchError('HYPERVISOR_FAILED', 'no');
    const work = undo.guard({}, async () => {
      for (const step of ['number', 'base', 'disk', 'domain']) {
        undo.push(step, async () => {
          undone.push(`${step} begins`);
          await new Promise((resolve) => setImmediate(resolve));
          undone.push(`${step} ends`);
        });
      }
      throw failure;
    });
    await expect(work).rejects.toBe(failure);
    expect(undone).toEqual(
      ['domain', 'disk', 'base', 'number'].flatMap((step) => [`${step} begins`, `${step} ends`]),
    );
  });

  it('takes back only the steps that were reached', async () => {
    const undo = new UndoStack();
    const undone: string[] = [];
    const work = undo.guard({}, async () => {
      undo.push('first', async () => {
        undone.push('first');
      });
      await Promise.reject(new Error('no'));
      undo.push('second', async () => {
        undone.push('second');
      });
    });
    await expect(work).rejects.toThrow('no');
    expect(undone).toEqual(['first']);
  });

  it('stops when an undo fails, names what is left, and keeps the first error as the cause', async () => {
    const undo = new UndoStack();
    const undone: string[] = [];
    const events: WorkEvent[] = [];
    const failure = new Error('the first');
    const work = undo.guard({ onEvent: (event) => events.push(event) }, async () => {
      undo.push('the base', async () => {
        undone.push('base');
      });
      // What the domain uses must stay while the domain does.
      undo.push('the domain', () => Promise.reject(new Error('libvirt is gone')));
      undo.push('the wait', async () => {
        undone.push('wait');
      });
      throw failure;
    });
    const error: unknown = await work.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LeftoversError);
    expect((error as LeftoversError).cause).toBe(failure);
    expect(undone).toEqual(['wait']);
    expect(events).toEqual([
      { type: 'notice', message: 'could not undo: the domain, the base; the next command tries again' },
    ]);
  });

  it('invariant 2: leaves the maker to the next command when something could not be undone', async () => {
    const home = await newHome();
    const failure = new LaunchError('DISK_FULL', 'full');
    const work = asMaker(home, async () => {
      const undo = new UndoStack();
      await undo.guard({}, async () => {
        undo.push('the disk', () => Promise.reject(new Error('busy')));
        throw failure;
      });
    });
    await expect(work).rejects.toBe(failure);
    let count = 0;
    for await (const maker of takeGoneMakers(home)) {
      count += 1;
      await maker.forget();
    }
    expect(count).toBe(1);
  });
});
