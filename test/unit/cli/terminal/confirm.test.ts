import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';

import { confirm } from '../../../../src/cli/terminal/confirm.js';
import { FakeTerminal } from './fake-terminal.js';

function inputOf(text: string): PassThrough {
  const input = new PassThrough();
  input.end(text);
  return input;
}

describe('confirm', () => {
  it.each([
    ['y\n', true],
    ['Y\n', true],
    [' yes \n', true],
    ['y', true],
    ['n\n', false],
    ['\n', false],
    ['yesterday\n', false],
    ['n\ny\n', false],
    ['', false],
  ])('%j is %s', async (typed, confirmed) => {
    const terminal = new FakeTerminal({ interactive: true });
    expect(await confirm('delete it?', terminal, { input: inputOf(typed) })).toBe(confirmed);
  });

  it('asks on stderr, with hostile names escaped', async () => {
    const terminal = new FakeTerminal({ interactive: true });
    await confirm('delete "a\x1b[2J"?', terminal, { input: inputOf('y\n') });
    expect([terminal.stdout, terminal.stderr]).toEqual(['', 'delete "a\\x1b[2J"? [y/N] ']);
  });

  it('ends the line itself when the input ends without an answer', async () => {
    const terminal = new FakeTerminal({ interactive: true });
    await confirm('sure?', terminal, { input: inputOf('') });
    expect(terminal.stderr).toBe('sure? [y/N] \n');
  });

  it('is false, unasked, when nobody watches', async () => {
    const terminal = new FakeTerminal();
    expect(await confirm('sure?', terminal, { input: inputOf('y\n') })).toBe(false);
    expect(terminal.stderr).toBe('');
  });

  it('throws INTERRUPTED while it waits, and before it asks', async () => {
    const terminal = new FakeTerminal({ interactive: true });
    const abort = new AbortController();
    const asked = confirm('sure?', terminal, { input: new PassThrough(), signal: abort.signal });
    await terminal.written('[y/N]');
    abort.abort();
    await expect(asked).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(terminal.stderr).toBe('sure? [y/N] \n');
    await expect(confirm('sure?', terminal, { signal: abort.signal })).rejects.toMatchObject({
      code: 'INTERRUPTED',
    });
  });
});
