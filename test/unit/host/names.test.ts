import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';

import { checkName, checkUuid, isUuid } from '../../../src/host/names.js';
import { asMaker } from '../../../src/host/maker.js';
import { launchErrorOf } from './launch-error-of.js';
import { newHome } from './new-home.js';

describe('invariant 7: a name is checked at the door', () => {
  it.each([
    'fedora-17',
    'a',
    '/',
    '..',
    '../../etc/passwd',
    '.hidden',
    '<domain type="kvm">&amp;',
    '$(reboot) `reboot` ; reboot',
    'two words',
    '名前',
    'Ünïcödé',
    '🦀',
    'a'.repeat(255),
    '🦀'.repeat(255),
    '0',
    '_base',
    'con--sole',
  ])('takes %j, which can be printed', (name) => {
    expect(checkName('image', name)).toBe(name);
  });

  it.each([
    ['nothing', '', 'is empty'],
    ['a line break', 'a\nb', 'has a character that cannot be printed'],
    ['a carriage return', 'a\rb', 'has a character that cannot be printed'],
    ['a tab', 'a\tb', 'has a character that cannot be printed'],
    ['a zero byte', 'a\0b', 'has a character that cannot be printed'],
    ['an escape sequence', '\x1b[2Ja', 'has a character that cannot be printed'],
    ['a C1 control', 'a\x9b2J', 'has a character that cannot be printed'],
    ['a delete', 'a\x7f', 'has a character that cannot be printed'],
    ['a bidi override', 'a\u202etxt.exe', 'has a character that cannot be printed'],
    ['a bidi isolate', 'a\u2066b', 'has a character that cannot be printed'],
    ['a zero-width space', 'a\u200bb', 'has a character that cannot be printed'],
    ['a byte order mark inside', 'a\ufeffb', 'has a character that cannot be printed'],
    ['a line separator', 'a\u2028b', 'has a character that cannot be printed'],
    ['a paragraph separator', 'a\u2029b', 'has a character that cannot be printed'],
    ['a tag character', 'a\u{e0041}b', 'has a character that cannot be printed'],
    ['a lone high surrogate', 'a\ud800', 'has a character that cannot be printed'],
    ['a lone low surrogate', '\udc00a', 'has a character that cannot be printed'],
    ['what XML cannot hold', 'a\uffff', 'has a character that cannot be printed'],
    ['256 characters', 'a'.repeat(256), 'is longer than 255 characters'],
    ['256 characters of two units', '🦀'.repeat(256), 'is longer than 255 characters'],
    ['a leading dash', '-a', 'starts with "-"'],
    ['a lone dash', '-', 'starts with "-"'],
    ['a leading space', ' a', 'starts or ends with a space'],
    ['a trailing space', 'a ', 'starts or ends with a space'],
    ['only a space', ' ', 'starts or ends with a space'],
    ['a trailing wide space', 'a\u3000', 'starts or ends with a space'],
  ])('refuses %s', async (_what, name, reason) => {
    const error = await launchErrorOf(() => checkName('flavor', name));
    expect(error.code).toBe('NAME_INVALID');
    expect(error.message).toContain(`the flavor's name "`);
    expect(error.message).toContain(reason);
    expect(error.hint).toContain('1 to 255 printable characters');
    expect(error.message.length).toBeLessThan(500);
  });

  it('never becomes more than one name of a path where a name is built from it', async () => {
    const home = await newHome();
    const temporary = await asMaker(home, async (maker) => maker.temporaryPath(home.base('..').record));
    expect(basename(temporary)).toMatch(/^\.\.\.\.json\..*\.tmp$/);
  });
});

describe('a UUID', () => {
  it('is taken in any case, and given back in lower case', () => {
    expect(checkUuid('1E6292F9-82BD-4CDB-969E-C863CB1C6692')).toBe('1e6292f9-82bd-4cdb-969e-c863cb1c6692');
    expect(isUuid('1E6292F9-82bd-4cdb-969e-c863cb1c6692')).toBe(true);
  });

  it.each([
    '',
    'fedora-17',
    '1e6292f982bd4cdb969ec863cb1c6692',
    '1e6292f9-82bd-4cdb-969e-c863cb1c669',
    '1e6292f9-82bd-4cdb-969e-c863cb1c66922',
    '{1e6292f9-82bd-4cdb-969e-c863cb1c6692}',
    '1e6292f9-82bd-4cdb-969e-c863cb1c6692\n',
    '../e6292f9-82bd-4cdb-969e-c863cb1c6692',
    'ge6292f9-82bd-4cdb-969e-c863cb1c6692',
  ])('is not %j', async (text) => {
    expect(isUuid(text)).toBe(false);
    const error = await launchErrorOf(() => checkUuid(text));
    expect([error.code, error.message]).toEqual([
      'ARGUMENT_INVALID',
      `the id ${JSON.stringify(text)} is not a UUID`,
    ]);
  });

  it('is quoted short in the refusal', async () => {
    expect((await launchErrorOf(() => checkUuid('x'.repeat(10_000)))).message.length).toBeLessThan(120);
  });
});
