import type { Diagnosis } from './diagnosis.js';
import type { Evidence } from './evidence.js';

/** Trouble from firmware to init; undefined when a kernel runs, or when other signs of life are there. */
export function diagnoseBoot(evidence: Evidence, name: string): Diagnosis | undefined {
  const { console, quietSeconds } = evidence;
  const log = { what: 'all that it said', command: `launch log ${name}` };
  if (console.panicking || panicsAgain(evidence)) return panic(evidence, name);
  if (console.noBootDevice !== undefined) {
    return {
      cause: 'no-bootable-device',
      problem: 'runs, but finds nothing to boot',
      likely: 'the image has no boot loader for this firmware: it is not a whole disk, or is made for UEFI',
      cures: [
        { what: 'what is it?', command: 'launch image list' },
        { what: 'a template with the firmware that the image needs', command: 'launch template list' },
      ],
      final: true,
    };
  }
  if (console.bootLoaderPrompt) {
    return {
      cause: 'boot-loader-failed',
      problem: 'stopped in its boot loader, which waits for somebody to type',
      likely:
        console.bootLoaderComplaints.length > 0
          ? `it could not load the system: ${console.bootLoaderComplaints.at(-1) ?? ''}`
          : 'it did not find its configuration or the kernel: the image is damaged, or was taken from a disk of another layout',
      cures: [{ what: 'sit down at it', command: `launch console ${name}` }],
      final: quietSeconds >= settledSeconds,
    };
  }
  if (console.emergency !== undefined) {
    return {
      cause: 'emergency-shell',
      problem: 'stopped in an emergency shell',
      likely:
        'a file system of its own (/etc/fstab, root=) is not there or is damaged, or its driver is missing',
      cures: [{ what: 'sit down at it', command: `launch console ${name}` }, log],
      final: false,
    };
  }
  return livesElsewhere(evidence) ? undefined : diagnoseSilence(evidence, name);
}

/** A prompt or a panic that has stood for so long, stands. */
const settledSeconds = 4;

/** A console may be silent while the guest is well: what its network tells counts as much. */
function livesElsewhere({ addresses, ssh, cards }: Evidence): boolean {
  return addresses.length > 0 || ssh?.answer === 'ssh' || cards.some((card) => (card.sentPackets ?? 0) > 8);
}

/** On its way to the next panic, as it looks. */
function panicsAgain({ console, addresses }: Evidence): boolean {
  const { panics, stage, loginPrompt } = console;
  return panics.length > 1 && !loginPrompt && addresses.length === 0 && stage !== 'cloud-init';
}

function panic({ console, quietSeconds }: Evidence, name: string): Diagnosis {
  const words = console.panics.at(-1) ?? '';
  const times = console.panics.length;
  return {
    cause: 'kernel-panic',
    problem: times > 1 ? `runs, but its kernel panicked ${times} times` : 'runs, but its kernel panicked',
    likely: whyPanicked(words),
    cures: [
      { what: 'how it came to that', command: `launch log ${name}` },
      ...(/memory|oom/i.test(words) ? [{ what: 'more memory', command: 'launch IMAGE --memory 1024' }] : []),
    ],
    final: console.panicking && (times > 1 || quietSeconds >= 2 * settledSeconds),
  };
}

function whyPanicked(words: string): string {
  if (/unable to mount root|cannot open root/i.test(words)) {
    return 'the kernel did not find its root file system: a wrong root=, a damaged initramfs, or no driver for this disk (try another template)';
  }
  if (/no working init|no init found|attempted to kill init/i.test(words)) {
    return "the root file system's init is missing, or ended: the image is damaged or incomplete";
  }
  if (/memory/i.test(words)) return 'it has too little memory';
  return `its kernel says: ${words}`;
}

function diagnoseSilence(evidence: Evidence, name: string): Diagnosis | undefined {
  const { console, quietSeconds, busyCpus } = evidence;
  if (console.stage !== undefined && quietSeconds < settledSeconds) return undefined;
  const screen = { what: 'look at its screen', command: `launch vnc ${name}` };
  const hangs = busyCpus !== undefined && busyCpus > 0.8;
  const doing =
    busyCpus === undefined ? '' : hangs ? '; its processor is busy all the time' : '; its processor idles';
  const withoutKvm = {
    what: 'emulated, if this host is itself a guest',
    command: 'launch IMAGE --virt-type qemu',
  };
  if (!console.spoke) {
    return {
      cause: 'console-silent',
      problem: 'runs, but nothing came from its serial console',
      likely: `firmware, boot loader and kernel all use another console${doing}`,
      cures: [screen, { what: 'a kernel speaks there with', command: 'console=ttyS0' }],
      final: false,
    };
  }
  if (console.stage === 'firmware' && !console.handedOver) {
    return {
      cause: 'firmware-waits',
      problem: 'is still in its firmware',
      likely: `the firmware waits (a boot menu), or does not find the disk${doing}`,
      cures: [{ what: 'sit down at it', command: `launch console ${name}` }, screen],
      final: false,
    };
  }
  if (console.stage === 'firmware' || console.stage === undefined) {
    return {
      cause: 'boot-code-silent',
      problem: 'started what lies on its disk, and nothing came of it',
      likely: hangs
        ? 'the boot loader is missing or hangs: the code in the first sector runs in circles'
        : `a boot loader that speaks on the screen only, or none${doing}`,
      cures: [screen, ...(evidence.virtType === 'kvm' ? [withoutKvm] : [])],
      final: false,
    };
  }
  if (console.stage !== 'boot loader') return undefined;
  return {
    cause: 'kernel-silent',
    problem: 'has left its boot loader, and no kernel spoke',
    likely:
      hangs && evidence.virtType === 'kvm'
        ? 'the kernel hangs: this host may be a guest itself, whose kvm cannot run it'
        : `the kernel does not use the serial console (no console=ttyS0), or hangs${doing}`,
    cures: [screen, ...(evidence.virtType === 'kvm' ? [withoutKvm] : [])],
    final: false,
  };
}
