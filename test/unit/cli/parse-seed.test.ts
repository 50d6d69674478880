import { describe, expect, it } from 'vitest';

import { parseSeededFile } from '../../../src/cli/parse-seed.js';

describe('--file', () => {
  it.each([
    ['motd:/etc/motd', 'motd', '/etc/motd', undefined],
    ['./a:b:/etc/motd', './a:b', '/etc/motd', undefined],
    ['/a/b:/c:0600', '/a/b', '/c', 0o600],
    ['a:/c:4755', 'a', '/c', 0o4755],
    ['a:/with space/x', 'a', '/with space/x', undefined],
  ])('takes %j', (text, local, remote, mode) => {
    expect(parseSeededFile(text)).toEqual({ local, remote, mode });
  });

  it.each(['motd', 'motd:', ':/etc/motd', 'motd:etc/motd', 'motd:/etc/motd:999', 'motd:/etc/motd:rw', ''])(
    'refuses %j',
    (text) => {
      expect(() => parseSeededFile(text)).toThrow(
        expect.objectContaining({
          code: 'ARGUMENT_INVALID',
          message: expect.stringContaining('--file') as unknown,
        }),
      );
    },
  );
});
