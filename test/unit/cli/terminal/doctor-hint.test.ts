import { describe, expect, it } from 'vitest';
import { findExplainingCheck } from '../../../../src/cli/terminal/doctor-hint.js';
import { reportError } from '../../../../src/cli/terminal/error-report.js';
import { LaunchError } from '../../../../src/host/launch-error.js';
import { FakeTerminal } from './fake-terminal.js';

describe('findExplainingCheck', () => {
  it.each([
    ['HYPERVISOR_UNREACHABLE', 'cannot reach libvirt', 'libvirt'],
    ['KVM_UNAVAILABLE', 'there is no /dev/kvm on this host', 'kvm'],
    ['NETWORK_NOT_FOUND', 'there is no network "default" in libvirt', 'network'],
    ['DISK_FULL', 'cannot launch', 'space'],
    ['MEMORY_SHORT', 'not enough memory', 'memory'],
    ['PERMISSION_DENIED', 'cannot write "/var/lib/launch"', 'storage'],
    ['IMAGE_NOT_FOUND', 'there is no image', undefined],
    ['INTERRUPTED', 'interrupted', undefined],
    ['HOST_UNFIT', 'launches cannot work on this host: network', undefined],
    ['WAIT_TIMEOUT', 'instance-00000001 runs, but got no address', 'dhcp'],
    ['WAIT_TIMEOUT', 'no line of the console matched', undefined],
    ['DOWNLOAD_FAILED', 'cannot fetch: certificate is not yet valid', 'clock'],
    ['DOWNLOAD_FAILED', 'cannot fetch: 404', undefined],
  ] as const)('%s, %s: %s', (code, message, check) => {
    expect(findExplainingCheck(new LaunchError(code, message))).toBe(check);
  });

  it.each([
    ["Cannot access storage file '/root/x/disk' (as uid:64055, gid:64055): Permission denied", 'access'],
    [
      "internal error: process exited while connecting to monitor: Could not open '/h/disk': Permission denied",
      'access',
    ],
    [
      'Requested operation is not valid: Setting different DAC user or group on /h/disk which is already in use',
      'owners',
    ],
    ["Failed to connect socket to '/var/run/libvirt/virtlogd-sock': Connection refused", 'libvirt'],
    ['Could not access KVM kernel module: Permission denied', 'kvm'],
    ['internal error: Network is already in use by interface eth0', 'network'],
    ["Cannot get interface MTU on 'virbr0': No such device", 'network'],
    ["network 'default' is not active", 'network'],
    ['cannot set up guest memory: Cannot allocate memory', 'memory'],
    ['unable to write: No space left on device', 'space'],
    ['unsupported configuration: Emulator does not support machine type pc-q35-1.0', 'qemu'],
    ['domain is already running', undefined],
  ] as const)('libvirt says %j: %s', (words, check) => {
    const error = new LaunchError('HYPERVISOR_FAILED', `cannot start the domain: libvirt says: ${words}`);
    expect(findExplainingCheck(error)).toBe(check);
  });

  it('leaves a guest that had its address to the autopsy', () => {
    const timeout = (cause: string) =>
      findExplainingCheck(new LaunchError('WAIT_TIMEOUT', 'no ssh yet', { details: { cause } }));
    expect([timeout('dhcp-unanswered'), timeout('kernel-panic')]).toEqual(['dhcp', undefined]);
  });

  it.each([
    ['qemu-img', 'qemu'],
    ['virsh', 'libvirt'],
    ['gpgv', undefined],
  ])('a missing %s is a matter of %s', (command, check) => {
    const error = new LaunchError('COMMAND_MISSING', `cannot find "${command}"`, { details: { command } });
    expect(findExplainingCheck(error)).toBe(check);
  });
});

describe('the report of a failure that is the host’s', () => {
  const report = (error: LaunchError, format: 'text' | 'json') => {
    const terminal = new FakeTerminal();
    reportError(error, terminal, { format, verbose: false });
    return terminal.stderr;
  };

  it('says who explains it, as text and as JSON', () => {
    const error = new LaunchError('DISK_FULL', 'full', { hint: 'launch df' });
    expect(report(error, 'text')).toBe(
      'launch: full\n  launch df\n  what is wrong with this host:  launch doctor space\n',
    );
    expect(JSON.parse(report(error, 'json'))).toEqual({
      error: { code: 'DISK_FULL', message: 'full', hint: 'launch df', doctor: 'space' },
    });
  });

  it('does not say so twice', () => {
    const error = new LaunchError('DISK_FULL', 'full', { hint: 'cure:  launch doctor space --fix' });
    expect(report(error, 'text')).toBe('launch: full\n  cure:  launch doctor space --fix\n');
  });
});
