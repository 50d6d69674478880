import type { Stage } from './stage.js';

/** A line by which a stage is known. Written by firmware, boot loaders, kernels and init systems themselves. */
interface StageMark {
  readonly stage: Stage;
  readonly pattern: RegExp;
}

export const stageMarks: readonly StageMark[] = [
  // SeaBIOS, iPXE's option ROM, and edk2 (OVMF), which is silent on the serial port but for its boot manager.
  {
    stage: 'firmware',
    pattern:
      /^SeaBIOS \(version |^iPXE \(|^Press ESC for boot menu|^Booting from (?:Hard Disk|DVD|CD|Floppy|ROM)|^BdsDxe: |UEFI Interactive Shell|^UEFI firmware|TianoCore|EDK II/i,
  },
  {
    stage: 'boot loader',
    pattern:
      /\bGRUB\b|^(?:SYS|ISO|EXT|PXE)LINUX \d|^systemd-boot|^Boot in \d+ s|^LILO\b|^U-Boot \d|BTX loader|^Loading (?:Linux|initial ramdisk|kernel)\b/i,
  },
  // The kernel's own lines, and what only a running kernel's init can have printed.
  {
    stage: 'kernel',
    pattern:
      /\bLinux version \d|^\[ {0,4}\d{1,7}\.\d{6}\] |^EFI stub: |^Decompressing Linux|^Probing EDD|^(?:Free|Net|Open)BSD \d|^Copyright \(c\) .*(?:Free|Net|Open)BSD|^systemd\[1\]: |^\[ {0,3}(?:OK|FAILED) {0,3}\] |\blogin: ?$/,
  },
  {
    stage: 'network',
    pattern:
      /udhcpc: lease of [\d.]+ obtained|^(?:dhclient: )?bound to \d[\d.]+|dhcpcd.*: leased \d|ci-info: \| +\w+ +\| True \| +(?!127\.|::1|fe80)[\d.a-f:]+(?:\/\d+)? +\|/,
  },
  { stage: 'cloud-init', pattern: /Cloud-init v\. \S+ finished at / },
];

/** The first line of a boot. A guest that prints one again has been reset. */
export const bootMarks = {
  firmware: /^SeaBIOS \(version |^UEFI firmware/,
  kernel: /\[ {4}0\.000000\] Linux version |^Linux version \d/,
};

/** Firmware that has given the processor to the disk's first code. */
export const handOver = /^Booting from (?:Hard Disk|DVD|CD|Floppy)|^BdsDxe: starting Boot/;

/** Firmware that found nothing to boot, and stays so. */
export const noBootDevice =
  /^No bootable device|No bootable option or device was found|^(?:BdsDxe: )?Press any key to enter the Boot Manager|^Shell> ?$|Missing operating system|Operating System not found/i;

/** A boot loader's own shell: it waits for a person. */
export const bootLoaderPrompt = /^grub(?: rescue)? ?> ?$|^boot: ?$/;
/** What a boot loader complains of before there is a kernel. */
export const bootLoaderComplaint =
  /^\.?error: .+|^Entering rescue mode|^Could not find kernel image: .+|^No DEFAULT or UI configuration directive found|^(?:GRUB )?Error \d+/;

export const panicStart = /Kernel panic - not syncing: .*|^panic: .+/;
export const panicEnd = /---\[ end Kernel panic/;

/** init or the initramfs has given up, and a shell waits for a person. */
export const emergency =
  /You are in (?:emergency|rescue) mode|Entering emergency mode|Give root password for maintenance|Press Enter for (?:emergency shell|maintenance)|Cannot open access to console, the root account is locked|^\(initramfs\)|^dracut:\/#|Gave up waiting for root|ALERT! .* does not exist/i;

export const dhcpAsk =
  /udhcpc: (?:sending|broadcasting) discover|Sending discover\.\.\.|DHCPDISCOVER on |soliciting a DHCP lease/i;

/** getty's prompt, or its word that it asks nobody. */
export const loginPrompt = /\blogin: ?$|\blogin: \S+ \(automatic login\)$/;

/** systemd's word for an ssh server that did not start. */
export const sshFailed =
  /(?:Failed to start|\[FAILED\]).*(?:ssh|OpenBSD Secure Shell|OpenSSH)|^sshd: no hostkeys available/i;

export const cloudInitRuns = /Cloud-init v\. (\S+) running '([\w:-]+)'/;
/** systemd's units of cloud-init's parts, which begin seconds before these say a word; long names are cut. */
export const cloudInitUnit = /\bStarting (cloud-(?:init-local|init-network|init|config|final))\b/;
export const cloudInitUnitParts: Readonly<Record<string, string>> = {
  'cloud-init-local': 'init-local',
  'cloud-init-network': 'init',
  'cloud-init': 'init',
  'cloud-config': 'modules:config',
  'cloud-final': 'modules:final',
};
/** What cloud-init passes on from the programs that it runs: all that is not in its own words. */
export const cloudInitSays =
  /\bcloud-init\[\d+\]: (?!ci-info: |Cloud-init v\. |\d{4}-\d\d-\d\d \S+ - \S+\.py\[)(.*\S)/;
export const cloudInitFinished = /Cloud-init v\. \S+ finished at (.*)/;
/** cloud-init's logger and systemd's units of it; warnings among them are told only when they are of user-data. */
export const cloudInitProblem =
  /\.py\[(?:ERROR|CRITICAL)\]: .+|Failed to start .*(?:[Cc]loud-init|cloud-config|cloud-final|cloud user\/final|settings specified in cloud-config).*/;
/** User-data that cloud-init could not read, in its own words over its versions. */
export const userDataUnreadable =
  /Failed loading yaml blob.*|Failed at merging in cloud config.*|Unhandled (?:non-multipart|unknown content-type).*|[Ii]nvalid (?:cloud-config|user-?data|format at line).*|failed schema validation.*|empty cloud config.*|yaml load failed.*|Failed to (?:parse|load) user-?data.*|Error: Cloud config schema errors.*/;
/** User-data that ran and failed. */
export const userDataFailed =
  /Failed to run module scripts[-_ ]user.*|Running module (?:scripts[-_]user|runcmd).*failed|Failed running \S*\/(?:part-\d+|runcmd)\S*.*|Failed to shellify.*/;
