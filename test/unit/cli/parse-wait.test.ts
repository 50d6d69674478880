import { describe, expect, it } from 'vitest';

import { parseWait } from '../../../src/cli/parse-wait.js';
import { launchErrorOf } from '../host/launch-error-of.js';

describe('parseWait', () => {
  it.each(['none', 'running', 'address', 'ssh', 'cloud-init'])('knows %s', (kind) => {
    expect(parseWait(kind)).toEqual({ kind });
  });

  it('takes a pattern whose anchors stand for lines', () => {
    const wait = parseWait('console=^login: $');
    if (wait.kind !== 'console') throw new Error('no console');
    expect(wait.pattern.source).toBe('^login: $');
    expect(wait.pattern.test('booting\nlogin: \nmore')).toBe(true);
    expect(wait.pattern.test('Last login: today')).toBe(false);
  });

  it('keeps everything behind the first equals sign', () => {
    expect(parseWait('console=a=b')).toEqual({ kind: 'console', pattern: /a=b/m });
    expect(parseWait('console= ')).toEqual({ kind: 'console', pattern: / /m });
  });

  it.each(['', 'None', 'console', 'console=', 'console:login', ' running', 'login:'])(
    'refuses %j, and says what it takes',
    async (text) => {
      const error = await launchErrorOf(() => parseWait(text));
      expect([error.code, error.message]).toEqual([
        'ARGUMENT_INVALID',
        `cannot wait for ${JSON.stringify(text)}`,
      ]);
      expect(error.hint).toContain('console=REGEX');
    },
  );

  it.each(['console=(', 'console=[a', 'console=*'])('refuses %j, which is no pattern', async (text) => {
    const error = await launchErrorOf(() => parseWait(text));
    expect([error.code, error.message]).toEqual([
      'ARGUMENT_INVALID',
      `"${text.slice('console='.length)}" is not a regular expression`,
    ]);
    expect(error.cause).toBeInstanceOf(SyntaxError);
  });
});
