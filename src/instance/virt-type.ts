import { access, constants, readFile, stat } from 'node:fs/promises';
import type { CpuMode, VirtType } from '../domain/domain-spec.js';
import { LaunchError } from '../host/launch-error.js';
import { errnoOf } from '../host/system-error.js';

export interface KvmFacts {
  /** /dev/kvm can be opened, or only libvirt's own user may. */
  readonly device: boolean;
  /** The processor shows vmx or svm. */
  readonly processorFlag: boolean;
  /**
   * /dev/kvm is there for root alone. libvirt's QEMU runs as a user of its own: libvirt then takes what it
   * knows of QEMU for outdated, and probes it anew, for seconds, at each call.
   */
  readonly rootOnly: boolean;
}

export async function readKvmFacts(): Promise<KvmFacts> {
  const device = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    // libvirt may open what we may not.
    (error: unknown) => errnoOf(error) === 'EACCES',
  );
  const mode = await stat('/dev/kvm').then(
    (found) => found.mode,
    () => undefined,
  );
  const processor = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  return {
    device,
    processorFlag: /^flags\s*:.*\b(vmx|svm)\b/m.test(processor),
    rootOnly: mode !== undefined && (mode & 0o066) === 0,
  };
}

export interface ChosenVirtType {
  readonly virtType: VirtType;
  /** Why it is emulation though nobody asked for that. */
  readonly reason: string | undefined;
}

/**
 * kvm where it can run a whole guest, as virt-host-validate judges; a nested host can offer /dev/kvm
 * without vmx or svm, and there an ordinary kernel hangs.
 *
 * @throws LaunchError KVM_UNAVAILABLE when kvm is asked for and there is no /dev/kvm
 */
export function chooseVirtType(asked: VirtType | 'auto', facts: KvmFacts): ChosenVirtType {
  if (asked === 'kvm' && !facts.device) {
    throw new LaunchError('KVM_UNAVAILABLE', 'there is no /dev/kvm on this host', {
      hint: 'load the module (modprobe kvm_intel or kvm_amd), or launch with emulation:  --virt-type qemu',
    });
  }
  if (asked !== 'auto') return { virtType: asked, reason: undefined };
  if (!facts.device) return { virtType: 'qemu', reason: 'there is no /dev/kvm' };
  if (!facts.processorFlag) return { virtType: 'qemu', reason: 'the processor shows neither vmx nor svm' };
  return { virtType: 'kvm', reason: undefined };
}

/** CPU models to try, the best first: the first with which the guest starts is kept. */
export function cpuModesToTry(virtType: VirtType): readonly [CpuMode, ...CpuMode[]] {
  return virtType === 'qemu' ? ['maximum'] : ['host-passthrough', 'host-model', 'default'];
}

/** Whether a start failed because of the CPU model, so that a plainer one may do. */
export function isCpuModelFailure(error: unknown): boolean {
  return (
    error instanceof LaunchError &&
    error.code === 'HYPERVISOR_FAILED' &&
    /MSR|CPU (mode|model|feature|driver)|host doesn't support|guest CPU|incompatible with host CPU|requested features/i.test(
      error.message,
    )
  );
}
