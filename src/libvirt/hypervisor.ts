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

export interface HypervisorVersions {
  /** The daemon's own: `9.0.0`. */
  readonly libvirt: string;
  /** What it runs: `QEMU 7.2.22`; undefined when it does not say. */
  readonly emulator: string | undefined;
}

export interface NetworkSettings {
  /** Kept when it is stopped. */
  readonly persistent: boolean;
  /** Started with libvirt. */
  readonly autostart: boolean;
}

/** Whether the URI is that of a user's own libvirt, which has no privileges and so no networks with DHCP. */
export function isSession(uri: string): boolean {
  return /^[^:/]+:\/\/[^/]*\/session(\?|$)/.test(uri);
}

/** An address that a network's DHCP server keeps for one card. */
export interface DhcpHost {
  readonly macAddress: string;
  /** IPv4. */
  readonly address: string;
}

/** `live` is what the running network does, `config` what it will do after its next start. */
export interface DhcpHostPlaces {
  readonly live: boolean;
  readonly config: boolean;
}

/** A command of the guest agent, in QMP's form. */
export interface AgentRequest {
  readonly execute: string;
  readonly arguments?: Readonly<Record<string, unknown>>;
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
  /**
   * Asks libvirt for a sign of life, in a process that is ended when the time is over: where a daemon hangs,
   * no other call here ends.
   *
   * @throws LaunchError HYPERVISOR_UNREACHABLE also when it does not answer in time
   */
  readVersions(timeoutMs: number): Promise<HypervisorVersions>;
  /** The document of `virsh capabilities`. */
  readCapabilities(): Promise<string>;
  /** The document of a network: the live one where it is active, or with `inactive` what its next start uses. */
  readNetworkXml(name: string, options?: { readonly inactive?: boolean }): Promise<string>;
  /** Adds an entry to the running network, to its kept definition, or to both; libvirt checks no subnet. */
  addDhcpHost(network: string, host: DhcpHost, places: DhcpHostPlaces): Promise<void>;
  /** @throws LaunchError HYPERVISOR_FAILED also when there is no such entry */
  removeDhcpHost(network: string, host: DhcpHost, places: DhcpHostPlaces): Promise<void>;
  readNetworkSettings(name: string): Promise<NetworkSettings>;
  /** Lets libvirt start a network with itself. */
  setNetworkAutostart(name: string): Promise<void>;
  /** @param path of a network's document */
  defineNetwork(path: string): Promise<void>;
  /** Makes libvirt start the dnsmasq of an active network anew; its guests notice nothing. */
  restartNetworkDhcp(name: string): Promise<void>;
  /** The file of a storage volume; undefined when there is no such pool or volume. */
  findVolumePath(pool: string, name: string): Promise<string | undefined>;
  /**
   * Asks the guest's agent one thing and gives the value of `return`, of which the guest is the author.
   *
   * @throws LaunchError AGENT_UNAVAILABLE when nobody answers in time, COMMAND_FAILED with the agent's own
   * words in `details.words` when it refuses
   */
  askAgent(
    uuid: string,
    request: AgentRequest,
    options: { readonly timeoutSeconds: number },
  ): Promise<unknown>;
  /**
   * The arguments of a command that gives the domain's serial console to a terminal; `force` takes it away
   * from whoever sits there.
   */
  consoleCommand(domainName: string, options?: { readonly force?: boolean }): readonly [string, ...string[]];
  close(): Promise<void>;
}
