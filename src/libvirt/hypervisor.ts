/** libvirt's states (virDomainState), in virsh's words. */
export type DomainState =
  'no state' | 'running' | 'idle' | 'paused' | 'in shutdown' | 'shut off' | 'crashed' | 'pmsuspended';

export interface DomainSummary {
  readonly name: string;
  readonly uuid: string;
  readonly state: DomainState;
}

export interface NetworkSummary {
  readonly name: string;
  readonly active: boolean;
}

/** One address that a network's DHCP server has given out. */
export interface NetworkLease {
  /** Lower case, with colons. */
  readonly macAddress: string;
  /** Without the prefix length. */
  readonly address: string;
  readonly hostname: string | undefined;
}

/**
 * What `launch` needs of libvirt, and nothing more. Domains are named by uuid, so that one that took an
 * old name is never hit.
 *
 * Every call may throw LaunchError HYPERVISOR_UNREACHABLE (no connection) or HYPERVISOR_FAILED (libvirt's
 * own words in the message).
 */
export interface Hypervisor {
  readonly uri: string;
  listDomains(): Promise<readonly DomainSummary[]>;
  findDomain(uuid: string): Promise<DomainSummary | undefined>;
  /** The live document, or with `inactive` what the next start will use. */
  readDomainXml(uuid: string, options?: { readonly inactive?: boolean }): Promise<string>;
  /** @throws LaunchError HYPERVISOR_FAILED also when another domain has the name */
  defineDomain(xml: string): Promise<DomainSummary>;
  startDomain(uuid: string): Promise<void>;
  /** Presses the power button; the guest decides. */
  shutdownDomain(uuid: string): Promise<void>;
  /** Presses reset through ACPI; the guest decides. */
  rebootDomain(uuid: string): Promise<void>;
  /** Pulls the plug. */
  destroyDomain(uuid: string): Promise<void>;
  suspendDomain(uuid: string): Promise<void>;
  resumeDomain(uuid: string): Promise<void>;
  /** Forgets a domain that is shut off, with its NVRAM, saved state and snapshot records. */
  undefineDomain(uuid: string): Promise<void>;
  listNetworks(): Promise<readonly NetworkSummary[]>;
  startNetwork(name: string): Promise<void>;
  listLeases(network: string): Promise<readonly NetworkLease[]>;
  /** The file of a storage volume; undefined when there is no such pool or volume. */
  findVolumePath(pool: string, name: string): Promise<string | undefined>;
  /** The arguments of a command that gives the domain's serial console to a terminal. */
  consoleCommand(domainName: string): readonly [string, ...string[]];
  close(): Promise<void>;
}
