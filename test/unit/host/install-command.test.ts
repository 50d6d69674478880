import { describe, expect, it } from 'vitest';
import { installCommand } from '../../../src/host/install-command.js';

describe('installCommand', () => {
  it.each([
    ['NAME="Debian GNU/Linux"\nID=debian\n', 'apt-get install qemu-utils zstd'],
    ['ID=ubuntu\nID_LIKE=debian\n', 'apt-get install qemu-utils zstd'],
    ['NAME="Fedora Linux"\nID=fedora\nVERSION_ID=42\n', 'dnf install qemu-img zstd'],
    ['', 'apt-get install qemu-utils zstd'],
  ])('%j: %s', (osRelease, command) => {
    expect(installCommand(['qemu-utils', 'zstd'], osRelease)).toBe(command);
  });
});
