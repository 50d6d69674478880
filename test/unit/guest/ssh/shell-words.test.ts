import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

import { quoteWord, remoteCommandLine } from '../../../../src/guest/ssh/shell-words.js';

const hostile = [
  "it's",
  '$HOME',
  '`id`',
  'a b',
  '',
  '*',
  '-x',
  '\\',
  '"',
  'a\nb',
  "''",
  '~',
  '!1',
  'é\u202e',
  ';rm',
];

describe('quoteWord', () => {
  it('gives a shell back exactly the word, whatever is in it', () => {
    const script = `printf '%s\\0' ${hostile.map(quoteWord).join(' ')}`;
    const words = execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1);
    expect(words).toEqual(hostile);
  });

  it('leaves what needs no quotes as it is, so that it can be read', () => {
    expect(quoteWord('/var/log/syslog-1.gz')).toBe('/var/log/syslog-1.gz');
  });
});

describe('remoteCommandLine', () => {
  it('keeps several words apart', () => {
    expect(remoteCommandLine(['ls', 'a b'])).toBe("ls 'a b'");
  });

  it('hands one word alone to the shell as it is', () => {
    expect(remoteCommandLine(['cd /srv && ls'])).toBe('cd /srv && ls');
  });
});
