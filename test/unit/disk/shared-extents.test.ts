import { describe, expect, it } from 'vitest';
import { measureSharedUse, parseFilefrag } from '../../../src/disk/shared-extents.js';

// e2fsprogs 1.47 on XFS.
const output = `Filesystem type is: 58465342
File size of /b/one is 21474836480 (5242880 blocks of 4096 bytes)
 ext:     logical_offset:        physical_offset: length:   expected: flags:
   0:        0..       0:         24..        24:      1:             shared
   1:      256..     511:        280..       535:    256:         48: last,shared,eof
/b/one: 2 extents found
File size of /b/two (of 2) is 4096 (1 block of 4096 bytes)
 ext:     logical_offset:        physical_offset: length:   expected: flags:
   0:        0..       0:         24..        24:      1:             last,shared,eof
/b/two (of 2): 1 extent found
File size of /b/inline is 12 (1 block of 4096 bytes)
 ext:     logical_offset:        physical_offset: length:   expected: flags:
   0:        0..    4095:          0..      4095:   4096:             last,not_aligned,inline,eof
`;

describe('parseFilefrag', () => {
  it('reads runs in bytes, of names with spaces too, and leaves out what has no blocks', () => {
    const runs = parseFilefrag(output, ['/b/one', '/b/two (of 2)', '/b/inline', '/b/unseen']);
    expect(Object.fromEntries(runs)).toEqual({
      '/b/one': [
        { startBytes: 24 * 4096, lengthBytes: 4096 },
        { startBytes: 280 * 4096, lengthBytes: 256 * 4096 },
      ],
      '/b/two (of 2)': [{ startBytes: 24 * 4096, lengthBytes: 4096 }],
      '/b/inline': [],
      '/b/unseen': [],
    });
  });
});

describe('measureSharedUse', () => {
  const run = (startBytes: number, lengthBytes: number) => ({ startBytes, lengthBytes });

  it('counts shared blocks once, and gives back only what no other file has', () => {
    const { togetherBytes, exclusiveBytes } = measureSharedUse(
      new Map([
        ['base', [run(0, 100)]],
        ['clone', [run(0, 60), run(200, 40)]],
        ['alone', [run(100, 50)]],
      ]),
    );
    expect(togetherBytes).toBe(190);
    expect(Object.fromEntries(exclusiveBytes)).toEqual({ base: 40, clone: 40, alone: 50 });
  });

  it('a file that has the same blocks twice has them once', () => {
    const { togetherBytes, exclusiveBytes } = measureSharedUse(new Map([['one', [run(0, 10), run(0, 10)]]]));
    expect([togetherBytes, exclusiveBytes.get('one')]).toEqual([10, 10]);
  });

  it('nothing is nothing', () => {
    expect(measureSharedUse(new Map()).togetherBytes).toBe(0);
  });
});
