/** What KVM is to libvirt: `kvm` uses the processor, `qemu` is emulation by TCG. */
export type VirtType = 'kvm' | 'qemu';

/** How the guest's CPU is chosen; `default` writes no cpu element and leaves it to QEMU. */
export type CpuMode = 'host-passthrough' | 'host-model' | 'maximum' | 'default';

/** Everything that distinguishes one instance's domain from its template. */
export interface DomainSpec {
  /** The domain's name, such as `instance-0000000c`. */
  readonly name: string;
  readonly uuid: string;
  readonly virtType: VirtType;
  readonly cpuMode: CpuMode;
  readonly memoryMib: number;
  readonly vcpus: number;
  /** Canonical machine type frozen at the first boot (`pc-i440fx-7.2`); absent, the template's own. */
  readonly machineType?: string | undefined;
  readonly rootDisk: DomainDisk;
  /** The disk that tells the guest who it is; undefined without one. */
  readonly seed: DomainSeed | undefined;
  /** In the order in which the guest meets them; none leaves it without a network. */
  readonly interfaces: readonly DomainInterface[];
  /** Absolute path of the file that keeps what the serial console prints, across restarts. */
  readonly consoleLogPath: string;
  readonly metadata: DomainMetadata;
}

export interface DomainDisk {
  readonly path: string;
  /** The format that was created or verified, never a guess. */
  readonly driverType: 'qcow2' | 'raw';
  /** `none` where O_DIRECT works on the file system, `writeback` elsewhere. */
  readonly cacheMode: 'none' | 'writeback';
}

/** What every network interface has. */
interface InterfaceCommon {
  /** Lower case, with colons. */
  readonly macAddress: string;
  /** libvirt's name of the card: `virtio`, `e1000e`, …; null leaves it to the template, which else is virtio. */
  readonly model: string | null;
}

/** On a network of libvirt's, with libvirt's DHCP server where the network has one. */
export interface NetworkInterface extends InterfaceCommon {
  readonly kind: 'network';
  /** libvirt's name of the network. */
  readonly network: string;
  /** IPv4 address that the network's DHCP server keeps for this card; null: whatever it gives. */
  readonly address: string | null;
}

/** On a bridge of the host's. */
export interface BridgeInterface extends InterfaceCommon {
  readonly kind: 'bridge';
  readonly bridge: string;
}

/** Behind QEMU's own address translation (slirp): no privileges, nothing comes in but what is forwarded. */
export interface UserInterface extends InterfaceCommon {
  readonly kind: 'user';
  readonly forwards: readonly PortForward[];
}

export interface PortForward {
  readonly protocol: 'tcp' | 'udp';
  /** IPv4 address of this host on which QEMU listens; `0.0.0.0` for all. */
  readonly hostAddress: string;
  /** 0 in a plan: a free one is chosen when the instance is made. */
  readonly hostPort: number;
  readonly guestPort: number;
}

export type DomainInterface = NetworkInterface | BridgeInterface | UserInterface;

export interface DomainSeed {
  readonly path: string;
  readonly kind: 'nocloud' | 'config-drive';
  /** cloud-init reads the user-data when the network is up; otherwise before. */
  readonly needsNetwork: boolean;
}

/** What `launch` writes into the domain's metadata under its own namespace. */
export interface DomainMetadata {
  readonly displayName: string;
  readonly flavorName: string;
  readonly imageId: string;
  readonly imageName: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly launchVersion: string;
}
