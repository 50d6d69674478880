import { describe, expect, it } from 'vitest';

import { displayWidth } from '../../../../src/cli/terminal/display-width.js';
import { follow, followLive } from './follow-progress.js';

const MIB = 1024 ** 2;

describe('on a terminal', () => {
  it('shows the live line of the sketch, and leaves the ended steps', async () => {
    const { terminal, clock, tell, advance } = await followLive();
    tell('step-started', 'base', 'converting to raw');
    clock.advance(100);
    expect(terminal.screen()).toEqual([
      '  ✔ image      fedora-17, qcow2, 2 GiB',
      '  ⠙ base       converting to raw',
    ]);
    advance('base', 'converting to raw', 0, 1373 * MIB);
    for (let half = 1; half <= 4; half += 1) {
      clock.advance(500);
      advance('base', 'converting to raw', half * 220 * MIB, 1373 * MIB);
    }
    clock.advance(100);
    expect(terminal.screen()).toEqual([
      '  ✔ image      fedora-17, qcow2, 2 GiB',
      '  ⠹ base       converting to raw  ███████████░░░░░░  64 %  440 MiB/s  2 s left',
    ]);
    tell('step-done', 'base', '_base/06a057b9…_20, 740 MiB on disk of 20 GiB');
    tell('step-started', 'address', 'waiting for one');
    tell('step-failed', 'address', 'none after 60 s');
    expect(terminal.screen()).toEqual([
      '  ✔ image      fedora-17, qcow2, 2 GiB',
      '  ✔ base       _base/06a057b9…_20, 740 MiB on disk of 20 GiB',
      '  ✗ address    none after 60 s',
    ]);
  });

  it('shows several steps at once, in the order they began', async () => {
    const { terminal, tell, clock } = await followLive();
    tell('step-started', 'base', 'waiting');
    clock.advance(200);
    tell('step-started', 'seed', 'writing');
    clock.advance(100);
    expect(terminal.screen().slice(1)).toEqual(['  ⠸ base       waiting', '  ⠙ seed       writing']);
    tell('step-done', 'seed', 'written');
    expect(terminal.screen().slice(1)).toEqual(['  ✔ seed       written', '  ⠸ base       waiting']);
  });

  it('says how long a step without bytes has taken, once that is long', async () => {
    const { terminal, tell, clock } = await followLive();
    tell('step-started', 'ssh', 'waiting for an answer');
    clock.advance(1900);
    expect(terminal.screen().at(-1)).toMatch(/waiting for an answer$/);
    clock.advance(10_700);
    expect(terminal.screen().at(-1)).toMatch(/waiting for an answer {2}12 s$/);
  });

  it('shows bytes without a total as they are', async () => {
    const { terminal, tell, advance, clock } = await followLive();
    tell('step-started', 'read', 'from stdin');
    advance('read', 'from stdin', 0);
    clock.advance(1000);
    advance('read', 'from stdin', 20 * MIB);
    clock.advance(100);
    expect(terminal.screen().at(-1)).toBe('  ⠙ read       from stdin  20 MiB  20 MiB/s');
  });

  it('counts whole percents, so that the figures do not dance', async () => {
    const { terminal, tell, advance, clock } = await followLive();
    tell('step-started', 'read', 'x');
    advance('read', 'x', 19, 1000);
    clock.advance(100);
    expect(terminal.screen().at(-1)).toBe('  ⠙ read       x  ░░░░░░░░░░░░░░░░░  1 %');
  });

  it('fills the bar only when all is done', async () => {
    const { terminal, tell, advance, clock } = await followLive();
    tell('step-started', 'read', 'x');
    advance('read', 'x', 999, 1000);
    clock.advance(100);
    expect(terminal.screen().at(-1)).toBe('  ⠙ read       x  ████████████████░  99 %');
    advance('read', 'x', 1000, 1000);
    clock.advance(100);
    expect(terminal.screen().at(-1)).toBe('  ⠹ read       x  █████████████████  100 %');
  });

  it.each([
    [80, '  ⠙ base       converting 日本語 to raw  █████████░░░░░░░░  50 %'],
    [60, '  ⠙ base       converting 日本語 to raw  50 %'],
    [40, '  ⠙ base       converting 日本語…  50 %'],
    [24, '  ⠙ base       convert…'],
    [8, '  ⠙ ba…'],
  ])('stays within %i columns', async (columns, line) => {
    const { terminal, tell, advance, clock } = await followLive();
    terminal.columns = columns;
    tell('step-started', 'base', 'x');
    advance('base', 'converting 日本語 to raw', 1, 2);
    clock.advance(100);
    expect(terminal.screen().at(-1)).toBe(line);
    expect(displayWidth(line)).toBeLessThan(columns);
  });

  it('cuts ended lines, and folds notices, which are there to be read', async () => {
    const { terminal, tell, notice, clock } = await followLive({ columns: 40 });
    tell('step-started', 'base', 'x');
    clock.advance(100);
    notice('no KVM here, so this guest runs emulated and slow: launch doctor kvm');
    tell('step-done', 'base', '_base/06a057b9c7b0b27e3b496f53d1e88810a0d1d5d3_20');
    expect(terminal.screen()).toEqual([
      '  ✔ image      fedora-17, qcow2, 2 GiB',
      '  ! no KVM here, so this guest runs',
      '    emulated and slow: launch doctor',
      '    kvm',
      '  ✔ base       _base/06a057b9c7b0b27e3…',
    ]);
  });

  it('shows hostile characters instead of obeying them', async () => {
    const { terminal, tell, notice, clock } = await followLive();
    tell('step-started', 'a\nb', 'evil\x1b[2J');
    clock.advance(100);
    notice('bidi \u202e\r');
    expect(terminal.screen().slice(1)).toEqual(['  ! bidi \\u202e\\r', '  ⠙ a\\nb       evil\\x1b[2J']);
  });

  it('colours the marks only', async () => {
    const { terminal, tell } = await followLive({ colour: true });
    tell('step-started', 'ssh', 'x');
    tell('step-failed', 'ssh', 'no');
    expect(terminal.stderr).toContain('  \x1b[32m✔\x1b[39m image      fedora-17');
    expect(terminal.stderr).toContain('  \x1b[31m✗\x1b[39m ssh        no\n');
  });

  it('hides the cursor only while something is live', async () => {
    const { terminal, tell, progress, clock } = await followLive();
    expect(terminal.cursorVisible).toBe(true);
    tell('step-started', 'base', 'x');
    clock.advance(100);
    expect(terminal.cursorVisible).toBe(false);
    progress.close();
    expect(terminal.cursorVisible).toBe(true);
    expect(clock.timers).toBe(0);
    expect(terminal.screen()).toEqual(['  ✔ image      fedora-17, qcow2, 2 GiB']);
  });

  it('gives the cursor back when the process ends without a close', async () => {
    const before = process.listeners('exit');
    const { terminal, tell, progress, clock } = await followLive();
    expect(process.listeners('exit')).toEqual(before);
    tell('step-started', 'base', 'x');
    clock.advance(100);
    expect(terminal.cursorVisible).toBe(false);
    const added = process.listeners('exit').filter((listener) => !before.includes(listener));
    expect(added).toHaveLength(1);
    added[0]?.call(process, 1);
    expect(terminal.cursorVisible).toBe(true);
    progress.close();
    expect(process.listeners('exit')).toEqual(before);
  });

  it('draws no live line for a step that is over at once', async () => {
    const { terminal, tell, clock } = await followLive();
    const before = terminal.stderr;
    tell('step-started', 'overlay', 'writing');
    clock.advance(99);
    tell('step-done', 'overlay', 'written');
    expect(terminal.stderr.slice(before.length)).toBe('  ✔ overlay    written\n');
  });

  it('prints what ends before the drawing is loaded', async () => {
    const { terminal, tell, clock } = follow({ interactive: true });
    tell('step-started', 'image', 'looking');
    tell('step-started', 'base', 'converting');
    clock.advance(100);
    tell('step-done', 'image', 'found');
    expect(terminal.stderr).toBe('  ✔ image      found\n');
    await terminal.written('converting');
    expect(terminal.screen()).toEqual(['  ✔ image      found', '  ⠙ base       converting']);
  });

  it('draws nothing after a close', async () => {
    const { terminal, tell, progress, clock } = await followLive();
    tell('step-started', 'base', 'x');
    tell('step-started', 'seed', 'x');
    progress.close();
    const before = terminal.stderr;
    clock.advance(1000);
    tell('step-done', 'seed', 'written');
    tell('step-started', 'late', 'x');
    clock.advance(1000);
    expect(terminal.stderr.slice(before.length)).toBe('  ✔ seed       written\n');
    expect(clock.timers).toBe(0);
  });

  it('does not bring an ended step back for a straggler', async () => {
    const { terminal, tell, advance, clock } = await followLive();
    tell('step-started', 'base', 'x');
    tell('step-done', 'base', 'there already');
    advance('base', 'x', 5, 10);
    clock.advance(1000);
    expect(terminal.screen().at(-1)).toBe('  ✔ base       there already');
    expect(clock.timers).toBe(0);
  });
});
