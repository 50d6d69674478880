import { describe, expect, it } from 'vitest';

import { reportError } from '../../../../src/cli/terminal/error-report.js';
import { LaunchError } from '../../../../src/host/launch-error.js';
import { FakeTerminal } from './fake-terminal.js';

function report(
  error: unknown,
  options: { format?: 'text' | 'json'; verbose?: boolean; colour?: boolean } = {},
) {
  const { format = 'text', verbose = false, colour = false } = options;
  const terminal = new FakeTerminal({ colour });
  const exitCode = reportError(error, terminal, { format, verbose });
  expect(terminal.stdout).toBe('');
  return { exitCode, text: terminal.stderr };
}

const TOO_SMALL = new LaunchError(
  'FLAVOR_TOO_SMALL',
  'cannot launch "fedora-17" as m1.tiny: the image needs 2 GiB of disk, the flavor has 1 GiB',
  {
    hint: 'try a larger flavor:  launch fedora-17 --flavor m1.small\nall flavors:  launch flavor list',
    details: { neededBytes: 2147483648, flavor: 'm1.tiny' },
  },
);

describe('as text', () => {
  it('tells the message, then the hint indented', () => {
    expect(report(TOO_SMALL)).toEqual({
      exitCode: 1,
      text: [
        'launch: cannot launch "fedora-17" as m1.tiny: the image needs 2 GiB of disk, the flavor has 1 GiB',
        '  try a larger flavor:  launch fedora-17 --flavor m1.small',
        '  all flavors:  launch flavor list',
        '',
      ].join('\n'),
    });
  });

  it.each([
    ['ARGUMENT_INVALID', 2],
    ['NAME_INVALID', 2],
    ['IMAGE_NOT_FOUND', 1],
    ['INTERRUPTED', 130],
  ] as const)('%s ends with %i', (code, exitCode) => {
    expect(report(new LaunchError(code, 'no')).exitCode).toBe(exitCode);
    expect(report(new LaunchError(code, 'no'), { format: 'json' }).exitCode).toBe(exitCode);
  });

  it('tells each cause that adds something, once, on one line', () => {
    const root = new Error('EIO: i/o error, read\n    more of it');
    const middle = new Error('qemu-img: error while reading sector 0', { cause: root });
    const repeated = new Error('cannot convert "f17"', { cause: middle });
    root.cause = middle;
    const error = new LaunchError('COMMAND_FAILED', 'cannot convert "f17": qemu-img failed', {
      hint: 'check the disk',
      cause: repeated,
    });
    expect(report(error).text).toBe(
      [
        'launch: cannot convert "f17": qemu-img failed',
        '  cause: qemu-img: error while reading sector 0',
        '  cause: EIO: i/o error, read',
        '  check the disk',
        '',
      ].join('\n'),
    );
  });

  it('tells the errors within an AggregateError, and causes that are no errors', () => {
    const cause = new AggregateError(
      [new Error('undo of disk failed'), 'undo of seed failed'],
      'undo failed',
    );
    expect(report(new LaunchError('FILE_SYSTEM', 'cannot launch', { cause })).text).toBe(
      [
        'launch: cannot launch',
        '  cause: undo failed',
        '  cause: undo of disk failed',
        '  cause: undo of seed failed',
        '',
      ].join('\n'),
    );
  });

  it('does not explain an interruption to the one who made it', () => {
    const cause = new DOMException('This operation was aborted', 'AbortError');
    expect(report(new LaunchError('INTERRUPTED', 'interrupted', { cause }))).toEqual({
      exitCode: 130,
      text: 'launch: interrupted\n',
    });
  });

  it('escapes hostile names, so that none can pose as a hint', () => {
    const cause = new Error('cannot open "\x1b[2J"');
    const error = new LaunchError('IMAGE_BACKING_FILE', 'it names "/x\n  run:  evil\x9b"', {
      hint: 'one "\u202e"\ntwo\r',
      cause,
    });
    expect(report(error).text).toBe(
      [
        'launch: it names "/x\\n  run:  evil\\x9b"',
        '  cause: cannot open "\\x1b[2J"',
        '  one "\\u202e"',
        '  two\\r',
        '',
      ].join('\n'),
    );
  });

  it('adds stacks, of the causes too, when asked', () => {
    const error = new LaunchError('BUSY', 'cannot start', { cause: new TypeError('deep\x1b') });
    expect(report(error).text).not.toContain('error-report.test.ts');
    const { text } = report(error, { verbose: true });
    expect(text).toMatch(
      /^launch: cannot start\n {2}cause: deep\\x1b\n {4}LaunchError: cannot start\n {8}at /,
    );
    expect(text).toContain('[cause]: TypeError: deep\\x1b\n');
    expect(text).not.toContain('\x1b');
  });

  it('is red where colours may be used', () => {
    expect(report(new LaunchError('BUSY', 'no'), { colour: true }).text).toBe('\x1b[31mlaunch:\x1b[39m no\n');
  });
});

describe('a bug of ours', () => {
  it('asks for a report, with the stack, and ends with 70', () => {
    const { exitCode, text } = report(new TypeError('x is not a function'));
    expect(exitCode).toBe(70);
    expect(text).toMatch(
      /^launch: internal error: x is not a function\n {2}this is a bug of launch, please report it with what follows\n {4}TypeError: x is not a function\n {8}at .*error-report\.test\.ts/,
    );
  });

  it.each([
    [undefined, 'undefined'],
    ['thrown text', 'thrown text'],
    [{ code: 3 }, '{ code: 3 }'],
    [new RangeError(), 'RangeError'],
  ])('tells of %o too', (thrown, message) => {
    const { exitCode, text } = report(thrown);
    expect(exitCode).toBe(70);
    expect(text.split('\n')[0]).toBe(`launch: internal error: ${message}`);
  });
});

describe('as JSON', () => {
  it('is one object on one line', () => {
    const { text } = report(TOO_SMALL, { format: 'json', colour: true });
    expect(text.indexOf('\n')).toBe(text.length - 1);
    expect(JSON.parse(text)).toEqual({
      error: {
        code: 'FLAVOR_TOO_SMALL',
        message: TOO_SMALL.message,
        hint: TOO_SMALL.hint,
        details: { neededBytes: 2147483648, flavor: 'm1.tiny' },
      },
    });
  });

  it('leaves out what there is not', () => {
    const { text } = report(new LaunchError('BUSY', 'a "b"\x9b'), { format: 'json' });
    expect(text).toBe('{"error":{"code":"BUSY","message":"a \\"b\\"\\u009b"}}\n');
  });

  it('tells a bug as INTERNAL with its stack', () => {
    const { exitCode, text } = report(new TypeError('oops'), { format: 'json' });
    expect(exitCode).toBe(70);
    expect(JSON.parse(text)).toEqual({
      error: {
        code: 'INTERNAL',
        message: 'oops',
        hint: 'please report it',
        details: { stack: expect.stringContaining('error-report.test.ts') as string },
      },
    });
  });
});
