import type { DomainMetadata } from './domain-spec.js';

/** What a domain's XML says, ours or another's; undefined where it says nothing. */
export interface DomainDescription {
  readonly name: string;
  readonly uuid: string | undefined;
  readonly title: string | undefined;
  readonly virtType: string | undefined;
  readonly machineType: string | undefined;
  readonly emulatorPath: string | undefined;
  /** As written: `host-passthrough`, `maximum`, …; a running domain of `host-model` shows `custom`. */
  readonly cpuMode: string | undefined;
  /** Rounded to whole MiB. */
  readonly memoryMib: number | undefined;
  readonly vcpus: number;
  readonly disks: readonly DescribedDisk[];
  readonly interfaces: readonly DescribedInterface[];
  readonly serialLogPath: string | undefined;
  readonly graphics: readonly DescribedGraphics[];
  /** Undefined when the domain is not one of ours. */
  readonly metadata: DomainMetadata | undefined;
}

export interface DescribedDisk {
  /** The name in the guest, such as `vda`. */
  readonly target: string | undefined;
  readonly bus: string | undefined;
  /** `disk`, `cdrom`, `floppy`, `lun`. */
  readonly device: string;
  /** `file`, `block`, `network`, `volume`, … */
  readonly type: string;
  /** The path on this host; undefined for a network disk, a volume, and a drive without a medium. */
  readonly sourcePath: string | undefined;
  /** For a disk of type volume: libvirt knows the path of this volume, its XML does not. */
  readonly volume: { readonly pool: string; readonly name: string } | undefined;
  readonly driverType: string | undefined;
  readonly cacheMode: string | undefined;
  readonly isReadOnly: boolean;
  /** What the source stands on, nearest first; libvirt tells it of running domains. */
  readonly backingChain: readonly BackingFile[];
  /** Every path on this host that the disk names: source, backing files, a copy under way. Each once. */
  readonly hostPaths: readonly string[];
}

export interface BackingFile {
  /** Undefined for what is no path on this host, such as an image behind NBD. */
  readonly path: string | undefined;
  readonly format: string | undefined;
}

export interface DescribedInterface {
  /** `network`, `bridge`, `user`, … */
  readonly type: string;
  readonly network: string | undefined;
  readonly bridge: string | undefined;
  readonly macAddress: string | undefined;
  readonly model: string | undefined;
  /** The device on the host, such as `vnet0`, while the domain runs. */
  readonly targetDevice: string | undefined;
}

export interface DescribedGraphics {
  /** `vnc`, `spice`, … */
  readonly type: string;
  /** Undefined until the domain starts, when libvirt chooses it. */
  readonly port: number | undefined;
  readonly listenAddress: string | undefined;
}
