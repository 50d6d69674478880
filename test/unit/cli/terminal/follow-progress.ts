import { onTestFinished } from 'vitest';

import { createProgress } from '../../../../src/cli/terminal/progress.js';
import type { WorkEvent } from '../../../../src/host/work.js';
import { FakeClock, FakeTerminal } from './fake-terminal.js';

/** A progress on a fake terminal, closed when the test is over, and the words to tell it of work. */
export function follow(options: ConstructorParameters<typeof FakeTerminal>[0]) {
  const terminal = new FakeTerminal(options);
  const clock = new FakeClock();
  const progress = createProgress(terminal, clock);
  onTestFinished(progress.close);
  const tell = (type: 'step-started' | 'step-done' | 'step-failed', step: string, message: string): void => {
    progress.onEvent({ type, step, message });
  };
  const advance = (step: string, message: string, doneBytes?: number, totalBytes?: number): void => {
    const bytes = { ...(doneBytes === undefined ? {} : { doneBytes }) };
    progress.onEvent({
      type: 'step-progress',
      step,
      message,
      ...bytes,
      ...(totalBytes === undefined ? {} : { totalBytes }),
    });
  };
  const notice = (message: string): void => {
    progress.onEvent({ type: 'notice', message } satisfies WorkEvent);
  };
  return { terminal, clock, progress, tell, advance, notice };
}

/** On a terminal, with the drawing loaded. */
export async function followLive(options: { columns?: number; colour?: boolean } = {}) {
  const followed = follow({ interactive: true, ...options });
  followed.tell('step-started', 'image', 'looking');
  followed.clock.advance(100);
  await followed.terminal.written('looking');
  followed.tell('step-done', 'image', 'fedora-17, qcow2, 2 GiB');
  return followed;
}
