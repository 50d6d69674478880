import { describe, expect, it } from 'vitest';

import { LaunchError, type LaunchErrorCode } from '../../../src/host/launch-error.js';
import {
  chooseVirtType,
  cpuModesToTry,
  isCpuModelFailure,
  readKvmFacts,
} from '../../../src/instance/virt-type.js';
import { launchErrorOf } from '../host/launch-error-of.js';

const whole = { device: true, processorFlag: true, rootOnly: false };
const nested = { ...whole, processorFlag: false };
const none = { ...whole, device: false };

describe('chooseVirtType', () => {
  it('takes kvm where a whole guest runs', () => {
    expect(chooseVirtType('auto', whole)).toEqual({ virtType: 'kvm', reason: undefined });
  });

  it('takes emulation elsewhere, and says why', () => {
    expect(chooseVirtType('auto', none)).toEqual({ virtType: 'qemu', reason: 'there is no /dev/kvm' });
    expect(chooseVirtType('auto', nested)).toEqual({
      virtType: 'qemu',
      reason: 'the processor shows neither vmx nor svm',
    });
  });

  it('takes what is asked for, without a reason', () => {
    for (const facts of [whole, nested, none])
      expect(chooseVirtType('qemu', facts)).toEqual({ virtType: 'qemu', reason: undefined });
    for (const facts of [whole, nested])
      expect(chooseVirtType('kvm', facts)).toEqual({ virtType: 'kvm', reason: undefined });
  });

  it('refuses kvm where there is no /dev/kvm', async () => {
    const error = await launchErrorOf(() => chooseVirtType('kvm', none));
    expect(error.code).toBe('KVM_UNAVAILABLE');
    expect(error.hint).toContain('--virt-type qemu');
  });
});

describe('the CPU models to try', () => {
  it('go from the best to what always works', () => {
    expect(cpuModesToTry('kvm')).toEqual(['host-passthrough', 'host-model', 'default']);
    expect(cpuModesToTry('qemu')).toEqual(['maximum']);
  });

  it.each([
    ['HYPERVISOR_FAILED', 'qemu: error: failed to set MSR 0x48f to 0x7fffff00036dfb', true],
    ['HYPERVISOR_FAILED', "unsupported configuration: CPU mode 'host-passthrough' is not supported", true],
    [
      'HYPERVISOR_FAILED',
      "operation failed: guest CPU doesn't match specification: missing features: vmx",
      true,
    ],
    ['HYPERVISOR_FAILED', "TCG doesn't support requested features: CPUID.01H:ECX.vmx", true],
    ['HYPERVISOR_FAILED', 'cannot access storage file: Permission denied', false],
    ['HYPERVISOR_FAILED', 'Cannot allocate memory', false],
    ['DISK_FULL', 'CPU model', false],
  ] as const)('are left for the next one after %s: %s', (code: LaunchErrorCode, words, expected) => {
    expect(isCpuModelFailure(new LaunchError(code, words))).toBe(expected);
  });

  // VIR_ERR_CPU_INCOMPATIBLE, which host-model can end with on a nested host.
  it('are left for the next one when libvirt calls them incompatible', () => {
    const words = 'the CPU is incompatible with host CPU: Host CPU does not provide required features: vmx';
    expect(isCpuModelFailure(new LaunchError('HYPERVISOR_FAILED', words))).toBe(true);
  });

  it('are not blamed for a bug', () => {
    expect(isCpuModelFailure(new Error('CPU model'))).toBe(false);
  });
});

describe('readKvmFacts', () => {
  it('answers on any host', async () => {
    const facts = await readKvmFacts();
    expect([typeof facts.device, typeof facts.processorFlag]).toEqual(['boolean', 'boolean']);
  });
});
