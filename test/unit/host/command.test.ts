import { describe, expect, it } from 'vitest';

import { complaintOf } from '../../../src/host/command.js';

describe('complaintOf', () => {
  it.each([
    [
      'its last line, without its own name',
      'qemu-img: warning\nqemu-img: Could not open\n',
      'Could not open',
    ],
    ['virsh’s word for an error taken off', 'error: Failed to list\nerror: no domain\n', 'no domain'],
    ['a name inside the line kept', 'cannot run qemu-img: no', 'cannot run qemu-img: no'],
    ['the exit code when it said nothing', '', 'exit code 7'],
    ['the exit code when it said its name only', 'qemu-img: ', 'qemu-img:'],
  ])('is %s', (_what, stderr, complaint) => {
    expect(complaintOf('qemu-img', { exitCode: 7, stdout: '', stderr })).toBe(complaint);
  });
});
