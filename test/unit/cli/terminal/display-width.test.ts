import { describe, expect, it } from 'vitest';

import {
  cutToWidth,
  displayWidth,
  foldToWidth,
  padToWidth,
} from '../../../../src/cli/terminal/display-width.js';

describe('displayWidth', () => {
  it.each([
    ['', 0],
    ['fedora-17', 9],
    ['é', 1],
    ['e\u0301', 1],
    ['日本語', 6],
    ['ｶﾞ', 2],
    ['Ａ', 2],
    ['한글', 4],
    ['\u1112\u1161\u11ab', 2],
    ['🦊', 2],
    ['🫠', 2],
    ['👨‍👩‍👧', 2],
    ['🇩🇪', 2],
    ['❤️', 2],
    ['❤', 1],
    ['1️⃣', 2],
    ['ไทยที่', 4],
    ['✔ ✗ … ⠙ █░ └─', 13],
    ['𠮷', 2],
  ])('%s takes %i', (text, columns) => {
    expect(displayWidth(text)).toBe(columns);
  });
});

describe('cutToWidth', () => {
  it.each([
    ['fits', 4, 'fits'],
    ['does not', 7, 'does n…'],
    ['日本語', 6, '日本語'],
    ['日本語', 5, '日本…'],
    // Half a wide character cannot be shown: the line is one column short.
    ['日本語', 4, '日…'],
    ['a👨‍👩‍👧b', 3, 'a…'],
    ['a👨‍👩‍👧bc', 4, 'a👨‍👩‍👧…'],
    ['e\u0301e\u0301e\u0301', 2, 'e\u0301…'],
    ['any', 1, '…'],
    ['any', 0, ''],
    ['any', -3, ''],
  ])('%s in %i is %s', (text, columns, cut) => {
    expect(cutToWidth(text, columns)).toBe(cut);
    expect(displayWidth(cutToWidth(text, columns))).toBeLessThanOrEqual(Math.max(0, columns));
  });
});

it('padToWidth pads by what is seen and never cuts', () => {
  expect(padToWidth('日本', 6)).toBe('日本  ');
  expect(padToWidth('vda', 2)).toBe('vda');
});

describe('foldToWidth', () => {
  it('keeps words whole, by what is seen', () => {
    expect(foldToWidth('日本 語 is three', 7)).toEqual(['日本 語', 'is', 'three']);
  });

  it('cuts a word that is wider than a line', () => {
    expect(foldToWidth('a /very/long/path b', 6)).toEqual(['a', '/very…', 'b']);
  });

  it('gives one line for nothing', () => {
    expect(foldToWidth('', 10)).toEqual(['']);
  });
});
