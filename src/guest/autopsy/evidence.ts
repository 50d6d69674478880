import type { ConsoleStory } from '../boot/console-story.js';

/** What is known of one network card from outside the guest. */
export interface CardEvidence {
  readonly kind: 'network' | 'bridge' | 'user';
  /** libvirt's network, or the host's bridge. */
  readonly name: string;
  readonly macAddress: string;
  /** Packets that the guest has sent over it; undefined where nobody counts. */
  readonly sentPackets: number | undefined;
  /**
   * Who answers DHCP there: libvirt's dnsmasq, nobody (`none`), dnsmasq if it ran (`stopped`), or a server
   * that we know nothing of (`elsewhere`).
   */
  readonly dhcp: 'served' | 'stopped' | 'none' | 'elsewhere';
  /** The DHCP server's own lines on this card, where its log can be read. */
  readonly dhcpLog: readonly string[];
}

/** What happened when we tried to log in. */
export interface SshEvidence {
  readonly address: string;
  readonly port: number;
  /**
   * `refused`: nobody listens. `unreachable`: the host has no way there. `silent`: no answer at all.
   * `mute`: connected, and no banner came. `foreign`: another protocol answered. `ssh`: a banner of ssh.
   */
  readonly answer: 'refused' | 'unreachable' | 'silent' | 'mute' | 'foreign' | 'ssh';
  readonly banner: string | undefined;
  readonly login:
    | {
        readonly outcome: 'accepted' | 'refused' | 'failed';
        readonly user: string;
        /** ssh's own words, the last line. */
        readonly words: string;
      }
    | undefined;
}

/** cloud-init's own report (`/run/cloud-init/result.json`). */
export interface CloudInitReport {
  readonly errors: readonly string[];
  /** Warnings and worse that it went on from (`recoverable_errors`, since 23.4). */
  readonly recoverable: readonly string[];
}

/** Everything that a wait saw. */
export interface Evidence {
  readonly goal: 'address' | 'ssh' | 'cloud-init' | 'console';
  /** libvirt's word; undefined when it has no such domain any more. */
  readonly domainState: string | undefined;
  readonly virtType: 'kvm' | 'qemu';
  readonly console: ConsoleStory;
  /** Seconds since the console last printed, or since the wait began. */
  readonly quietSeconds: number;
  /** Processors that QEMU kept busy lately; undefined where it cannot be seen. */
  readonly busyCpus: number | undefined;
  /** Processes that want to run, for each of the host's processors (the load of the last minute). */
  readonly hostLoad: number | undefined;
  readonly cards: readonly CardEvidence[];
  readonly addresses: readonly { readonly address: string; readonly source: string }[];
  readonly ssh: SshEvidence | undefined;
  readonly cloudInit: CloudInitReport | undefined;
  /** The guest was asked, and has no cloud-init. */
  readonly withoutCloudInit: boolean;
}
