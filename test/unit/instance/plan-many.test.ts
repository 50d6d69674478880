import { describe, expect, it } from 'vitest';
import { LaunchError } from '../../../src/host/launch-error.js';
import { checkManyAlike, nameOfMany, planMany, type ManyFacts } from '../../../src/instance/plan-many.js';

const gib = 1024 ** 3;
const facts: ManyFacts = {
  count: 20,
  parallel: undefined,
  overcommit: false,
  memoryMib: 512,
  virtType: 'qemu',
  capacity: { processors: 2, availableMemoryBytes: 16 * gib },
};

describe('how many guests are launched at a time', () => {
  it.each([
    { what: 'emulation keeps the processors busy', given: {}, expected: 4 },
    { what: 'kvm waits half of the time', given: { virtType: 'kvm' as const }, expected: 8 },
    { what: 'never more than are asked for', given: { count: 3 }, expected: 3 },
    { what: 'as the user says', given: { parallel: 7 }, expected: 7 },
    { what: 'the user may say more than there are', given: { count: 2, parallel: 7 }, expected: 2 },
  ])('$what: $expected', ({ given, expected }) => {
    expect(planMany({ ...facts, ...given })).toBe(expected);
  });

  it('refuses what does not fit into the memory, and says how many would', () => {
    const tight = { ...facts, capacity: { processors: 2, availableMemoryBytes: 4 * gib } };
    const error = refusalOf(() => planMany(tight));
    expect(error.code).toBe('MEMORY_SHORT');
    expect(error.details).toEqual({ neededBytes: 20 * 640 * 1024 ** 2, freeBytes: 4 * gib, fitting: 6 });
    expect(error.hint).toContain('--count 6');
    // What it says is true.
    expect(planMany({ ...tight, count: 6 })).toBe(4);
    expect(() => planMany({ ...tight, count: 7 })).toThrow(LaunchError);
    expect(planMany({ ...tight, overcommit: true })).toBe(4);
  });

  it.each([0, -1, 1.5, Number.NaN, 1001])('refuses a count of %d', (count) => {
    expect(refusalOf(() => planMany({ ...facts, count })).code).toBe('ARGUMENT_INVALID');
    expect(refusalOf(() => planMany({ ...facts, parallel: count })).code).toBe('ARGUMENT_INVALID');
  });
});

describe('what only one guest can have', () => {
  it.each([
    {
      given: { networks: [{ kind: 'network', network: 'default', address: '192.168.122.9' }] },
      named: 'ip=192.168.122.9',
    },
    {
      given: { networks: [{ kind: 'user', macAddress: '52:54:00:00:00:01' }] },
      named: 'mac=52:54:00:00:00:01',
    },
    { given: { publish: [{ protocol: 'tcp', hostPort: 8080, guestPort: 80 }] }, named: 'port 8080' },
  ] as const)('is refused for two: $named', ({ given, named }) => {
    expect(
      refusalOf(() => {
        checkManyAlike(given, 2);
      }).message,
    ).toContain(named);
    checkManyAlike(given, 1);
  });

  it('does not count a port that is chosen for each', () => {
    checkManyAlike({ publish: [{ protocol: 'tcp', hostPort: 0, guestPort: 80 }] }, 2);
  });
});

describe('the names of many', () => {
  it.each([
    ['web-%d', 3, 'web-3'],
    ['%d.web', 12, '12.web'],
    ['web-%03d', 7, 'web-007'],
    ['web-%03d', 1234, 'web-1234'],
    ['web', 2, 'web-2'],
    ['100%', 2, '100%-2'],
  ])('%s, number %d: %s', (pattern, number, expected) => {
    expect(nameOfMany(pattern, number)).toBe(expected);
  });

  it('without a name each has that of its domain', () => {
    expect(nameOfMany(undefined, 1)).toBeUndefined();
  });
});

function refusalOf(run: () => unknown): LaunchError {
  try {
    run();
  } catch (error) {
    if (error instanceof LaunchError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
