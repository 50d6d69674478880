/** Every reason for which we know that a guest does not become ready. Part of the interface. */
export type Cause =
  // the machine
  | 'guest-gone'
  | 'guest-off'
  | 'guest-paused'
  // before a kernel
  | 'no-bootable-device'
  | 'firmware-waits'
  | 'boot-code-silent'
  | 'boot-loader-failed'
  | 'kernel-silent'
  | 'console-silent'
  // the system
  | 'kernel-panic'
  | 'emergency-shell'
  | 'still-booting'
  // its network
  | 'no-network-card'
  | 'card-silent'
  | 'no-dhcp-server'
  | 'dhcp-server-stopped'
  | 'dhcp-unanswered'
  | 'no-address'
  // ssh
  | 'ssh-off'
  | 'ssh-unreachable'
  | 'ssh-foreign'
  | 'ssh-key-refused'
  | 'ssh-failed'
  // cloud-init
  | 'user-data-unreadable'
  | 'user-data-failed'
  | 'cloud-init-failed'
  | 'cloud-init-absent'
  | 'cloud-init-unseen'
  | 'pattern-unseen';

/** Something to try: what it does, and the command. */
export interface Cure {
  readonly what: string;
  readonly command: string | undefined;
}

export interface Diagnosis {
  readonly cause: Cause;
  /** What is the case, to follow the instance's name: `runs, but got no address`. */
  readonly problem: string;
  /** What usually lies behind it. */
  readonly likely: string;
  readonly cures: readonly Cure[];
  /** Nothing will change by waiting longer. */
  readonly final: boolean;
}
