import { describe, expect, it } from 'vitest';

import { LaunchError } from '../../../src/host/launch-error.js';
import { hypervisorError } from '../../../src/libvirt/libvirt-error.js';

function errorOf(words: string): LaunchError {
  return hypervisorError('start the domain', 'qemu:///system', new Error(words));
}

describe('libvirt that cannot be reached', () => {
  it.each([
    "Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory",
    "unable to connect to server at 'host:16509': Connection refused",
    'End of file while reading data: Input/output error',
    'Cannot recv data: Connection reset by peer',
  ])('is told from its words: %s', (words) => {
    const error = errorOf(words);
    expect(error.code).toBe('HYPERVISOR_UNREACHABLE');
    expect(error.message).toBe(`cannot reach libvirt at qemu:///system: ${words}`);
    expect(error.hint).toContain('systemctl start libvirtd');
    expect(error.details).toEqual({ uri: 'qemu:///system' });
  });

  it.each([
    "Failed to connect socket to '/var/run/libvirt/libvirt-sock': Permission denied",
    'authentication unavailable: no polkit agent available to authenticate action',
    'authentication failed: access denied by policy',
  ])('is another matter when it was not allowed: %s', (words) => {
    const error = errorOf(words);
    expect(error.code).toBe('HYPERVISOR_UNREACHABLE');
    expect(error.hint).toContain('qemu:///session');
    expect(error.hint).not.toContain('systemctl');
  });

  // What the next call says after libvirtd was restarted; the connection is opened anew only for this code.
  it.each(['Cannot write data: Broken pipe', 'internal error: client socket is closed'])(
    'is told from the words after a restart of the daemon: %s',
    (words) => {
      expect(errorOf(words).code).toBe('HYPERVISOR_UNREACHABLE');
    },
  );
});

describe('libvirt that refuses', () => {
  it.each([
    ["Cannot access storage file '/home/u/disk': Permission denied", 'chmod o+x'],
    ['internal error: qemu: cannot set up guest memory: Cannot allocate memory', 'smaller flavor'],
    ['Could not access KVM kernel module: No such file or directory', '--virt-type qemu'],
    ['invalid argument: KVM is not available on this host', '--virt-type qemu'],
    [
      'failed to communicate with bridge helper: Transport endpoint is not connected',
      '/etc/qemu/bridge.conf',
    ],
    ["internal error: UNIX socket path '/home/u/.config/libvirt/a' too long", 'no <channel>'],
  ])('%s', (words, hint) => {
    const error = errorOf(words);
    expect(error.code).toBe('HYPERVISOR_FAILED');
    expect(error.message).toBe(`cannot start the domain: libvirt says: ${words}`);
    expect(error.hint).toContain(hint);
  });

  it('has no hint where nobody knows one', () => {
    const error = errorOf('Requested operation is not valid: domain is already running');
    expect([error.code, error.hint]).toEqual(['HYPERVISOR_FAILED', undefined]);
  });

  // libvirt itself answered: QEMU ended before its monitor was there.
  it('is not called unreachable when it could not reach QEMU', () => {
    expect(errorOf('failed to connect to monitor socket: Connection refused').code).toBe('HYPERVISOR_FAILED');
  });
});

describe('hypervisorError', () => {
  it('keeps a LaunchError as it is, and the cause of any other', () => {
    const refusal = new LaunchError('INTERRUPTED', 'interrupted');
    expect(hypervisorError('start', 'qemu:///system', refusal)).toBe(refusal);
    const cause = new Error('no');
    expect(hypervisorError('start', 'qemu:///system', cause).cause).toBe(cause);
    expect(hypervisorError('start', 'qemu:///system', 'thrown text').message).toBe(
      'cannot start: libvirt says: thrown text',
    );
  });
});
