import type { LaunchError, LaunchErrorCode } from '../../host/launch-error.js';
import type { CheckId } from '../../instance/doctor/finding.js';

/** Codes that stand for one check, whatever the words. */
const checkOfCode: Partial<Readonly<Record<LaunchErrorCode, CheckId>>> = {
  HYPERVISOR_UNREACHABLE: 'libvirt',
  KVM_UNAVAILABLE: 'kvm',
  NETWORK_NOT_FOUND: 'network',
  DISK_FULL: 'space',
  MEMORY_SHORT: 'memory',
  PERMISSION_DENIED: 'storage',
};

/** libvirt's and QEMU's words, the more special before the more general. */
const checkOfWords: readonly (readonly [RegExp, CheckId])[] = [
  [/virtlogd|libvirt-sock|virtqemud/i, 'libvirt'],
  [/setting different (dac|selinux)|already in use.*\b(dac|label)\b/i, 'owners'],
  [/\bkvm\b.*(permission denied|not (available|supported)|no such file)|could not access kvm/i, 'kvm'],
  [
    /cannot access storage file|could not open '.*permission denied|unable to (chown|stat|set .*xattr)/i,
    'access',
  ],
  [
    /cannot allocate memory|hugepage|cannot set up guest memory|unable to (map|allocate) .*(memory|pages)/i,
    'memory',
  ],
  [/no space left on device/i, 'space'],
  [/no emulator|machine type|cannot find (suitable )?emulator|unable to find .*qemu/i, 'qemu'],
  [/\bnetwork\b|\bbridge\b|interface mtu|virbr|dnsmasq|tap device/i, 'network'],
  [/permission denied/i, 'access'],
];

const checkOfCommand: Readonly<Record<string, CheckId>> = { 'qemu-img': 'qemu', virsh: 'libvirt' };

/** Which check of `launch doctor` explains a failure; undefined where the host is not to blame. */
export function findExplainingCheck(error: LaunchError): CheckId | undefined {
  const byCode = checkOfCode[error.code];
  if (byCode !== undefined) return byCode;
  const { code, message, cause, details } = error;
  if (code === 'HYPERVISOR_FAILED') return checkOfWords.find(([words]) => words.test(message))?.[1];
  if (code === 'COMMAND_MISSING') return checkOfCommand[String(details?.['command'])];
  if (code === 'WAIT_TIMEOUT') {
    // The autopsy of a guest (docs/readiness.md) names the cause; most are the guest's own.
    const blamed = details?.['cause'];
    const blamesDhcp = typeof blamed !== 'string' || blamed.startsWith('dhcp');
    return blamesDhcp && /\baddress\b|\bssh\b/i.test(message) ? 'dhcp' : undefined;
  }
  if (code === 'DOWNLOAD_FAILED') {
    const words = `${message} ${cause instanceof Error ? cause.message : ''}`;
    return /certificate (is not yet valid|has expired)|CERT_(NOT_YET_VALID|HAS_EXPIRED)/i.test(words)
      ? 'clock'
      : undefined;
  }
  return undefined;
}
