import { describe, expect, it } from 'vitest';

import { escapeControls, safeJson } from '../../../../src/cli/terminal/escape.js';

describe('escapeControls', () => {
  it.each([
    ['plain text, "quoted" \\ and é 日本 🦊', 'plain text, "quoted" \\ and é 日本 🦊'],
    ['a\nb\rc\td', 'a\\nb\\rc\\td'],
    ['\x1b[2Jgone\x1b]0;title\x07', '\\x1b[2Jgone\\x1b]0;title\\x07'],
    ['\x9b2J\x7f\x00', '\\x9b2J\\x7f\\x00'],
    ['gpj.\u202eexe\u202c', 'gpj.\\u202eexe\\u202c'],
    ['\u2066a\u2069\u200f\u061c', '\\u2066a\\u2069\\u200f\\u061c'],
    ['a\u2028b\u2029c\ufeff\u200b', 'a\\u2028b\\u2029c\\ufeff\\u200b'],
    ['\ud800 alone', '\\ud800 alone'],
    ['tag \u{e0041}', 'tag \\u{e0041}'],
  ])('%j', (text, shown) => {
    expect(escapeControls(text)).toBe(shown);
  });

  it('leaves joined emoji and Persian non-joiners as they are', () => {
    expect(escapeControls('👨‍👩‍👧 می‌خواهم')).toBe('👨‍👩‍👧 می‌خواهم');
  });
});

describe('safeJson', () => {
  it('is one line without a raw control character, and the value is what it was', () => {
    const value = { name: 'a\n\x1b\x7f\x9b\u202e\u{e0041}\ud800', size: 5 };
    const json = safeJson(value);
    expect(json).toBe('{"name":"a\\n\\u001b\\u007f\\u009b\\u202e\\udb40\\udc41\\ud800","size":5}');
    expect(JSON.parse(json)).toEqual(value);
  });

  it('writes a bigint as an integer', () => {
    expect(safeJson({ bytes: 21474836480n })).toBe('{"bytes":21474836480}');
  });
});
