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
  readonly network: DomainNetwork | undefined;
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

export interface DomainNetwork {
  /** libvirt's name of the network. */
  readonly name: string;
  readonly macAddress: string;
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
