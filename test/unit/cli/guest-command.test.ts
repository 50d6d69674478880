import { describe, expect, it } from 'vitest';

import { splitGuestCommand } from '../../../src/cli/guest-command.js';
import { parseCopyPlace } from '../../../src/cli/parse-copy-place.js';
import { parseForward } from '../../../src/cli/parse-forward.js';
import { launchErrorOf } from '../host/launch-error-of.js';
import { newProgram } from './run.js';

describe('splitGuestCommand', () => {
  it.each([
    [['ssh', 'web'], ['ssh', 'web'], undefined],
    [
      ['ssh', 'web', '--', 'ls', '-l', '--', '-'],
      ['ssh', 'web'],
      ['ls', '-l', '--', '-'],
    ],
    [
      ['ssh', 'web', 'ls', '-l', '--help'],
      ['ssh', 'web'],
      ['ls', '-l', '--help'],
    ],
    [['ssh', '-l', 'root', 'web', 'id'], ['ssh', '-l', 'root', 'web'], ['id']],
    [['ssh', 'web', '-l', 'root', 'id'], ['ssh', 'web', '-l', 'root'], ['id']],
    [['ssh', '--user=root', 'web', '-t', 'top'], ['ssh', '--user=root', 'web', '-t'], ['top']],
    [['exec', 'web', '--format', 'json', '--', ''], ['exec', 'web', '--format', 'json'], ['']],
    [['ssh', 'web', '--'], ['ssh', 'web'], []],
  ])('%j', (args, rest, guestCommand) => {
    expect(splitGuestCommand(args, 0)).toEqual({ args: rest, guestCommand });
  });
});

describe('parseForward', () => {
  it.each([
    ['8080:80', '127.0.0.1:8080:localhost:80'],
    ['8080:db:5432', '127.0.0.1:8080:db:5432'],
    ['0.0.0.0:8080:localhost:80', '0.0.0.0:8080:localhost:80'],
    ['[::1]:8080:[fd00::1]:80', '[::1]:8080:[fd00::1]:80'],
  ])('%j is %j', (text, expected) => {
    expect(parseForward(text)).toBe(expected);
  });

  it.each(['', '80', '0:80', '80:65536', '-R:80', 'a b:1:c:2', '1:-x:2'])('refuses %j', async (text) => {
    expect((await launchErrorOf(() => parseForward(text))).code).toBe('ARGUMENT_INVALID');
  });
});

describe('parseCopyPlace', () => {
  it.each([
    ['web:/etc', { kind: 'guest', instance: 'web', path: '/etc' }],
    ['web:', { kind: 'guest', instance: 'web', path: '' }],
    ['web:a:b', { kind: 'guest', instance: 'web', path: 'a:b' }],
    ['./a:b', { kind: 'host', path: './a:b' }],
    ['/srv/a:b', { kind: 'host', path: '/srv/a:b' }],
    ['a', { kind: 'host', path: 'a' }],
    [':a', { kind: 'host', path: ':a' }],
  ])('%j', (text, place) => {
    expect(parseCopyPlace(text)).toEqual(place);
  });
});

describe('repeated words', () => {
  it('are all taken where there are several, and the last where there is one', async () => {
    const { run } = await newProgram();
    const { stderr } = await run('cp', 'one', 'two', 'three');
    expect(stderr.split('\n')[0]).toBe('launch: neither of them is in a guest');
    const { exitCode, stdout } = await run('flavor', 'list', '--format', 'json', '--format', 'table');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('| m1.tiny ');
  });
});

describe('what a guest’s commands refuse before a guest is asked', () => {
  it.each([
    [['exec', 'web'], 'which program?'],
    [['exec', 'web', '--via', 'agent', '--stdin', '--', 'cat'], 'the guest agent takes no standard input'],
    [['cp', 'a'], 'where to?'],
    [['ssh', 'web', '--forward', 'x'], 'cannot forward "x"'],
    [['ssh-config', 'web', '--install'], '--install writes the file for all instances'],
    [['log', 'web', '--lines', 'x'], '--lines takes a whole number, not NaN'],
  ])('%j', async (args, message) => {
    const { run } = await newProgram();
    const { exitCode, stderr } = await run(...args);
    expect([exitCode, stderr.split('\n')[0]]).toEqual([2, `launch: ${message}`]);
  });

  it.each([['ssh'], ['exec'], ['console'], ['vnc'], ['log']])(
    'an instance that there is not, with the names that there are: %s',
    async (command) => {
      const { run } = await newProgram();
      const { exitCode, stderr } = await run(command, 'web', ...(command === 'exec' ? ['--', 'id'] : []));
      expect(exitCode).toBe(['ssh', 'exec'].includes(command) ? 255 : 1);
      expect(stderr).toContain('there is no instance "web"');
    },
  );
});
