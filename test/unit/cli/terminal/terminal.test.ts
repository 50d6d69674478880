import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';

import { processTerminal } from '../../../../src/cli/terminal/terminal.js';

class FakeStream extends EventEmitter {
  written = '';
  columns: number | undefined;
  readonly isTTY: boolean;

  constructor(isTTY: boolean, columns?: number) {
    super();
    this.isTTY = isTTY;
    this.columns = columns;
  }

  write(text: string): void {
    this.written += text;
  }

  fail(code: string): void {
    this.emit('error', Object.assign(new Error(`write ${code}`), { code }));
  }
}

interface Conditions {
  readonly out?: boolean;
  readonly err?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

function terminalWith({ out = true, err = true, env = {} }: Conditions = {}) {
  const stdout = new FakeStream(out);
  const stderr = new FakeStream(err, 120);
  let closedTimes = 0;
  const onOutputClosed = (): void => {
    closedTimes += 1;
  };
  const terminal = processTerminal({ stdout, stderr, env, onOutputClosed });
  return { stdout, stderr, terminal, closedTimes: () => closedTimes };
}

it('writes results to stdout and the rest to stderr, as given', () => {
  const { terminal, stdout, stderr } = terminalWith();
  terminal.out('result');
  terminal.err('message\n');
  expect([stdout.written, stderr.written]).toEqual(['result', 'message\n']);
});

describe('colour', () => {
  it.each([
    [{}, true],
    [{ out: false }, false],
    [{ err: false }, false],
    [{ env: { NO_COLOR: '1' } }, false],
    [{ env: { NO_COLOR: '' } }, true],
    [{ env: { TERM: 'dumb' } }, false],
    [{ out: false, env: { FORCE_COLOR: '1' } }, true],
    [{ env: { FORCE_COLOR: '0' } }, false],
    [{ env: { FORCE_COLOR: '1', NO_COLOR: '1' } }, false],
    [{ env: { CI: 'true' } }, true],
  ])('%j: %s', (conditions, colour) => {
    expect(terminalWith(conditions).terminal.colour).toBe(colour);
  });
});

describe('interactive', () => {
  it.each([
    [{}, true],
    [{ out: false }, true],
    [{ err: false }, false],
    [{ env: { TERM: 'dumb' } }, false],
    [{ env: { CI: 'true' } }, false],
    [{ env: { CI: 'false' } }, true],
    [{ err: false, env: { FORCE_COLOR: '1' } }, false],
  ])('%j: %s', (conditions, interactive) => {
    expect(terminalWith(conditions).terminal.interactive).toBe(interactive);
  });
});

describe('columns', () => {
  it('follow the window', () => {
    const { terminal, stderr } = terminalWith();
    expect(terminal.columns).toBe(120);
    stderr.columns = 60;
    expect(terminal.columns).toBe(60);
  });

  it.each([
    [{}, 80],
    [{ COLUMNS: '132' }, 132],
    [{ COLUMNS: 'wide' }, 80],
  ])('without a width, %j: %i', (env, columns) => {
    const { terminal, stderr } = terminalWith({ env });
    stderr.columns = 0;
    expect(terminal.columns).toBe(columns);
  });
});

describe('a stream that fails', () => {
  it.each(['EPIPE', 'EIO'])('drops what follows when the reader of stdout is gone (%s)', (code) => {
    const { terminal, stdout, closedTimes } = terminalWith();
    terminal.out('one');
    stdout.fail(code);
    stdout.fail(code);
    terminal.out('two');
    expect([stdout.written, closedTimes()]).toEqual(['one', 1]);
  });

  it('throws when the results cannot be written', () => {
    const { stdout } = terminalWith();
    expect(() => {
      stdout.fail('ENOSPC');
    }).toThrow(
      expect.objectContaining({ code: 'FILE_SYSTEM', message: 'cannot write the output: write ENOSPC' }),
    );
  });

  it('goes on without stderr', () => {
    const { terminal, stdout, stderr } = terminalWith();
    stderr.fail('EPIPE');
    terminal.out('result');
    expect(stdout.written).toBe('result');
  });
});
