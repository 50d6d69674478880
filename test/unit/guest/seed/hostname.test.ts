import { describe, expect, it } from 'vitest';

import { checkHostname, hostnameOf } from '../../../../src/guest/seed/hostname.js';

describe('hostnameOf', () => {
  it.each([
    ['web', 'web'],
    ['Web 1 (Été)', 'web-1-ete'],
    ['db.example.com', 'db-example-com'],
    ['--a__b--', 'a-b'],
    ['x'.repeat(70), 'x'.repeat(63)],
    [`${'x'.repeat(62)} y`, 'x'.repeat(62)],
    ['../../etc', 'etc'],
    ['10.0.0.1', '10-0-0-1'],
    ['名前', 'instance-0000000c'],
    ['', 'instance-0000000c'],
  ])('makes of %j %j', (name, expected) => {
    expect(hostnameOf(name, 'instance-0000000c')).toBe(expected);
  });

  it('makes one of nothing at all', () => {
    expect(hostnameOf('名', '前')).toBe('guest');
  });

  it('makes what it would take itself', () => {
    for (const name of ['Web 1', '-', 'ÅÄÖ', 'a.b.c', '9', 'x'.repeat(300)]) {
      const made = hostnameOf(name, 'instance-1');
      expect(checkHostname(made)).toBe(made);
    }
  });
});

describe('checkHostname', () => {
  it.each(['web', 'web-1.example.com', 'a', '9lives', 'x'.repeat(63)])('takes %j', (name) => {
    expect(checkHostname(name)).toBe(name);
  });

  it('does not mind capitals', () => {
    expect(checkHostname('Web')).toBe('web');
  });

  it.each([
    '',
    '-web',
    'web-',
    'a..b',
    'we b',
    'x'.repeat(64),
    '10.0.0.1',
    'é',
    'a_b',
    'a\nb',
    `${'a.'.repeat(130)}b`,
  ])('refuses %j', (name) => {
    expect(() => checkHostname(name)).toThrow(expect.objectContaining({ code: 'ARGUMENT_INVALID' }));
  });
});
