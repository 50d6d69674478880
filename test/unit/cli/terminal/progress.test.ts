import { describe, expect, it } from 'vitest';

import { createProgress } from '../../../../src/cli/terminal/progress.js';
import { FakeTerminal } from './fake-terminal.js';
import { follow } from './follow-progress.js';

const MIB = 1024 ** 2;

describe('without a terminal', () => {
  it('writes one line a step, when it ends, uncut', () => {
    const { terminal, tell, notice, clock } = follow({ columns: 20 });
    tell('step-started', 'image', 'looking');
    clock.advance(1500);
    notice('no KVM here, so this guest runs emulated');
    tell('step-done', 'image', 'fedora-17, qcow2, 2 GiB');
    tell('step-started', 'address', 'waiting');
    tell('step-failed', 'address', 'none after 60 s');
    expect(terminal.stderr).toBe(
      [
        '  ! no KVM here, so this guest runs emulated',
        '  ✔ image      fedora-17, qcow2, 2 GiB',
        '  ✗ address    none after 60 s',
        '',
      ].join('\n'),
    );
    expect(clock.timers).toBe(0);
  });

  it('announces work of more than two seconds, then tells of it every ten', () => {
    const { terminal, tell, advance, clock } = follow({});
    tell('step-started', 'base', 'converting');
    advance('base', 'converting to raw', 0, 1000 * MIB);
    clock.advance(1900);
    expect(terminal.stderr).toBe('');
    for (let second = 2; second <= 23; second += 1) {
      clock.advance(second === 2 ? 100 : 1000);
      advance('base', 'converting to raw', second * 40 * MIB, 1000 * MIB);
    }
    tell('step-done', 'base', 'converted in 23 s');
    expect(terminal.stderr).toBe(
      [
        '  … base       converting',
        '  … base       converting to raw  44 %  40 MiB/s  14 s left',
        '  … base       converting to raw  84 %  40 MiB/s  4 s left',
        '  ✔ base       converted in 23 s',
        '',
      ].join('\n'),
    );
  });

  it('says how long a step without bytes has waited', () => {
    const { terminal, tell, clock } = follow({});
    tell('step-started', 'ssh', 'waiting for an answer');
    clock.advance(12_000);
    expect(terminal.stderr).toBe(
      '  … ssh        waiting for an answer\n  … ssh        waiting for an answer  12 s\n',
    );
  });

  it('never animates nor colours', () => {
    const { terminal, tell, clock, progress } = follow({});
    tell('step-started', 'ssh', 'x');
    clock.advance(60_000);
    progress.close();
    expect(terminal.stderr).not.toContain('\x1b');
  });
});

it('its own clock keeps no process alive and stops on close', () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const terminal = new FakeTerminal();
  const progress = createProgress(terminal);
  progress.onEvent({ type: 'step-started', step: 'base', message: 'x' });
  expect(timers()).toBe(before);
  progress.close();
  progress.close();
  expect(terminal.stderr).toBe('');
});
