import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { parseDomain } from '../../src/domain/parse-domain.js';
import { readXml } from '../../src/domain/read-xml.js';
import { writeXml } from '../../src/domain/write-xml.js';
import {
  createElement,
  findElement,
  listElements,
  textOf,
  type XmlElement,
} from '../../src/domain/xml-element.js';
import { LaunchError } from '../../src/host/launch-error.js';
import type {
  AgentRequest,
  DhcpHost,
  DhcpHostPlaces,
  DomainState,
  DomainSummary,
  Hypervisor,
  HypervisorVersions,
  NetworkLease,
  NetworkSettings,
  NetworkSummary,
} from '../../src/libvirt/hypervisor.js';

export type HypervisorMethod = Exclude<keyof Hypervisor, 'uri' | 'consoleCommand'>;

export interface HypervisorCall {
  readonly method: HypervisorMethod;
  /** The first argument: a uuid, a name, or a domain's XML. */
  readonly subject: string;
}

interface Fault {
  readonly matches: (method: HypervisorMethod) => boolean;
  readonly error: Error;
  /** `after`: libvirt did it, and we never heard. */
  readonly when: 'before' | 'after';
  readonly always: boolean;
}

interface FakeNetwork {
  active: boolean;
  autostart: boolean;
  readonly persistent: boolean;
  xml: string;
  /** The kept definition, where it differs from the running network. */
  inactiveXml: string | undefined;
  readonly leases: NetworkLease[];
}

interface FakeDomain {
  readonly name: string;
  readonly uuid: string;
  state: DomainState;
  /** undefined: a transient domain, gone when it stops. */
  inactiveXml: string | undefined;
  liveXml: string | undefined;
  presses: number;
}

/** What libvirt makes of a machine's alias with QEMU 7.2. */
const canonicalMachines: Readonly<Record<string, string>> = {
  pc: 'pc-i440fx-7.2',
  q35: 'pc-q35-7.2',
};

/**
 * A libvirt in memory. What hypervisor-contract.test.ts asks of libvirt, it asks of this too; where
 * libvirt's own drivers differ, this does as QEMU's.
 */
export class FakeHypervisor implements Hypervisor {
  readonly uri = 'fake:///system';
  /** Every call, in order, those that were made to fail among them. */
  readonly calls: HypervisorCall[] = [];
  /** How the guests take the power button: from this press on they obey; never with Infinity. */
  obeysAtPress = 1;
  /** Runs when a guest starts: it may write its console log. */
  onStart: ((xml: string) => Promise<void> | void) | undefined;
  /** What the guests' agents answer; without it they have none. */
  agent: ((request: AgentRequest) => unknown) | undefined;
  /** So many starts find that somebody has just come to listen on their first port. */
  stolenPorts = 0;
  readonly #domains = new Map<string, FakeDomain>();
  /** What libvirt tells of the host: QEMU runs as the user of these tests. */
  capabilitiesXml = defaultCapabilities();
  readonly #networks = new Map<string, FakeNetwork>();
  readonly #volumes = new Map<string, string>();
  readonly #takenPorts = new Set<string>();
  #faults: Fault[] = [];
  #nextId = 1;

  constructor() {
    this.addNetwork('default');
  }

  /**
   * Makes one call fail: the nth from now on, or the next of a method; `always` keeps the fault. By
   * default it fails as a connection that breaks before libvirt does anything.
   */
  failAt(
    call: number | HypervisorMethod,
    options: { readonly error?: Error; readonly when?: 'before' | 'after'; readonly always?: boolean } = {},
  ): void {
    let left = typeof call === 'number' ? call : 0;
    this.#faults.push({
      matches: typeof call === 'number' ? () => (left -= 1) === 0 : (method) => method === call,
      error: options.error ?? new LaunchError('HYPERVISOR_FAILED', 'cannot go on: a fault of the test'),
      when: options.when ?? 'before',
      always: options.always ?? false,
    });
  }

  /** @returns whether there were faults that no call had met */
  clearFaults(): boolean {
    const unmet = this.#faults.length > 0;
    this.#faults = [];
    return unmet;
  }

  addNetwork(
    name: string,
    options: {
      readonly active?: boolean;
      readonly autostart?: boolean;
      readonly persistent?: boolean;
      readonly xml?: string;
    } = {},
  ): void {
    const { active = true, autostart = false, xml = `<network><name>${name}</name></network>` } = options;
    const { persistent = true } = options;
    this.#networks.set(name, { active, autostart, persistent, xml, inactiveXml: undefined, leases: [] });
  }

  /** Somebody else's doing: the network is stopped and undefined. */
  loseNetwork(name: string): void {
    this.#networks.delete(name);
  }

  /** Somebody else listens on this port of the host: QEMU cannot. */
  takePort(protocol: 'tcp' | 'udp', port: number): void {
    this.#takenPorts.add(`${protocol}:${port}`);
  }

  addLease(network: string, lease: NetworkLease): void {
    this.#network(network).leases.push(lease);
  }

  addVolume(pool: string, name: string, path: string): void {
    this.#volumes.set(`${pool}/${name}`, path);
  }

  /** Somebody else's doing: the domain is off and gone, and nobody told us. */
  loseDomain(uuid: string): void {
    this.#domains.delete(uuid);
  }

  /** A guest does what it does: it powers itself off, crashes, sleeps. */
  setState(uuid: string, state: DomainState): void {
    const domain = this.#get(uuid, 'change');
    if (state === 'shut off' || state === 'crashed') this.#stop(domain, state);
    else domain.state = state;
  }

  listDomains(): Promise<readonly DomainSummary[]> {
    return this.#call('listDomains', '', () => [...this.#domains.values()].map(summarize));
  }

  findDomain(uuid: string): Promise<DomainSummary | undefined> {
    return this.#call('findDomain', uuid, () => {
      const domain = this.#domains.get(uuid);
      return domain === undefined ? undefined : summarize(domain);
    });
  }

  readDomainXml(uuid: string, options: { readonly inactive?: boolean } = {}): Promise<string> {
    return this.#call('readDomainXml', uuid, () => {
      const { liveXml, inactiveXml } = this.#get(uuid, 'read the XML of');
      const [first, second] = options.inactive === true ? [inactiveXml, liveXml] : [liveXml, inactiveXml];
      return first ?? second ?? '';
    });
  }

  defineDomain(xml: string): Promise<DomainSummary> {
    return this.#call('defineDomain', xml, () => {
      const { name, uuid, kept } = canonicalXml(xml);
      const sameUuid = this.#domains.get(uuid);
      if (sameUuid !== undefined && sameUuid.name !== name) {
        throw failed('define the domain', `domain '${sameUuid.name}' is already defined with uuid ${uuid}`);
      }
      const sameName = [...this.#domains.values()].find((domain) => domain.name === name);
      if (sameName !== undefined && sameName.uuid !== uuid) {
        throw failed('define the domain', `domain '${name}' already exists with uuid ${sameName.uuid}`);
      }
      const domain: FakeDomain = sameUuid ?? {
        ...{ name, uuid, state: 'shut off', inactiveXml: kept, liveXml: undefined, presses: 0 },
      };
      domain.inactiveXml = kept;
      this.#domains.set(uuid, domain);
      return summarize(domain);
    });
  }

  startDomain(uuid: string): Promise<void> {
    return this.#call('startDomain', uuid, async () => {
      const domain = this.#get(uuid, 'start');
      if (isOn(domain)) throw failed(`start the domain ${uuid}`, 'domain is already running');
      const xml = domain.inactiveXml ?? '';
      const { disks, interfaces } = parseDomain(xml);
      for (const { sourcePath } of disks) {
        if (sourcePath !== undefined && !existsSync(sourcePath)) {
          throw failed(
            `start the domain ${uuid}`,
            `Cannot access storage file '${sourcePath}': No such file or directory`,
          );
        }
      }
      for (const { network } of interfaces) {
        if (network !== undefined && !this.#network(network).active) {
          throw failed(`start the domain ${uuid}`, `network '${network}' is not active`);
        }
      }
      const forwards = forwardsIn(xml);
      const [first] = forwards;
      if (this.stolenPorts > 0 && first !== undefined) {
        this.stolenPorts -= 1;
        this.#takenPorts.add(`${first.protocol}:${first.port}`);
      }
      const listened = this.#listenedPorts();
      for (const { rule, protocol, port } of forwards) {
        if (!listened.has(`${protocol}:${port}`)) continue;
        throw failed(`start the domain ${uuid}`, `qemu: Could not set up host forwarding rule '${rule}'`);
      }
      const live = readXml(xml);
      live.attributes.set('id', `${(this.#nextId += 1)}`);
      domain.liveXml = writeXml(live);
      domain.state = 'running';
      domain.presses = 0;
      await this.onStart?.(domain.liveXml);
    });
  }

  shutdownDomain(uuid: string): Promise<void> {
    return this.#call('shutdownDomain', uuid, () => {
      const domain = this.#getRunning(uuid, 'shut down');
      domain.presses += 1;
      if (domain.presses >= this.obeysAtPress) this.#stop(domain, 'shut off');
    });
  }

  rebootDomain(uuid: string): Promise<void> {
    return this.#call('rebootDomain', uuid, () => {
      this.#getRunning(uuid, 'reboot');
    });
  }

  destroyDomain(uuid: string): Promise<void> {
    return this.#call('destroyDomain', uuid, () => {
      this.#stop(this.#getOn(uuid, 'stop'), 'shut off');
    });
  }

  suspendDomain(uuid: string): Promise<void> {
    return this.#call('suspendDomain', uuid, () => {
      this.#getOn(uuid, 'pause').state = 'paused';
    });
  }

  resumeDomain(uuid: string): Promise<void> {
    return this.#call('resumeDomain', uuid, () => {
      const domain = this.#getOn(uuid, 'resume');
      if (domain.state === 'running') throw failed(`resume the domain ${uuid}`, 'domain is already running');
      domain.state = 'running';
    });
  }

  undefineDomain(uuid: string): Promise<void> {
    return this.#call('undefineDomain', uuid, () => {
      const domain = this.#get(uuid, 'undefine');
      domain.inactiveXml = undefined;
      if (!isOn(domain)) this.#domains.delete(uuid);
    });
  }

  listNetworks(): Promise<readonly NetworkSummary[]> {
    return this.#call('listNetworks', '', () =>
      [...this.#networks].map(([name, { active }]) => ({ name, active })),
    );
  }

  startNetwork(name: string): Promise<void> {
    return this.#call('startNetwork', name, () => {
      const network = this.#network(name);
      if (network.active) throw failed(`start the network "${name}"`, 'network is already active');
      network.active = true;
    });
  }

  readVersions(timeoutMs: number): Promise<HypervisorVersions> {
    return this.#call('readVersions', `${timeoutMs}`, () => ({ libvirt: '9.0.0', emulator: 'QEMU 7.2.22' }));
  }

  readCapabilities(): Promise<string> {
    return this.#call('readCapabilities', '', () => this.capabilitiesXml);
  }

  readNetworkXml(name: string, options: { readonly inactive?: boolean } = {}): Promise<string> {
    return this.#call('readNetworkXml', name, () => {
      const { xml, inactiveXml } = this.#network(name);
      return options.inactive === true ? (inactiveXml ?? xml) : xml;
    });
  }

  addDhcpHost(name: string, host: DhcpHost, places: DhcpHostPlaces): Promise<void> {
    return this.#call('addDhcpHost', name, () => {
      this.#changeDhcp(name, places, (dhcp) => {
        const clash = listElements(dhcp, 'host').some(
          ({ attributes }) =>
            attributes.get('mac') === host.macAddress || attributes.get('ip') === host.address,
        );
        if (clash) {
          throw failed('keep the address', `there is an existing dhcp host entry in network '${name}'`);
        }
        dhcp.children.push(createElement('host', { mac: host.macAddress, ip: host.address }));
      });
    });
  }

  removeDhcpHost(name: string, host: DhcpHost, places: DhcpHostPlaces): Promise<void> {
    return this.#call('removeDhcpHost', name, () => {
      this.#changeDhcp(name, places, (dhcp) => {
        const found = listElements(dhcp, 'host').find(
          ({ attributes }) =>
            attributes.get('mac') === host.macAddress && attributes.get('ip') === host.address,
        );
        if (found === undefined) {
          throw failed(
            'release the address',
            `couldn't locate a matching dhcp host entry in network '${name}'`,
          );
        }
        dhcp.children = dhcp.children.filter((child) => child !== found);
      });
    });
  }

  readNetworkSettings(name: string): Promise<NetworkSettings> {
    return this.#call('readNetworkSettings', name, () => {
      const { persistent, autostart } = this.#network(name);
      return { persistent, autostart };
    });
  }

  setNetworkAutostart(name: string): Promise<void> {
    return this.#call('setNetworkAutostart', name, () => {
      this.#network(name).autostart = true;
    });
  }

  defineNetwork(path: string): Promise<void> {
    return this.#call('defineNetwork', path, () => {
      const xml = readFileSync(path, 'utf8');
      const name = textOf(findElement(readXml(xml), 'name'));
      if (name === undefined) throw failed('define the network', 'XML error: missing network name');
      const known = this.#networks.get(name);
      if (known === undefined) this.addNetwork(name, { active: false, xml });
      else known.xml = xml;
    });
  }

  restartNetworkDhcp(name: string): Promise<void> {
    return this.#call('restartNetworkDhcp', name, () => {
      if (!this.#network(name).active) throw failed('restart DHCP', `network '${name}' is not active`);
    });
  }

  listLeases(network: string): Promise<readonly NetworkLease[]> {
    return this.#call('listLeases', network, () => [...this.#network(network).leases]);
  }

  findVolumePath(pool: string, name: string): Promise<string | undefined> {
    return this.#call('findVolumePath', `${pool}/${name}`, () => this.#volumes.get(`${pool}/${name}`));
  }

  askAgent(uuid: string, request: AgentRequest): Promise<unknown> {
    return this.#call('askAgent', uuid, async () => {
      this.#getRunning(uuid, 'ask the guest agent of');
      if (this.agent === undefined) {
        throw new LaunchError('AGENT_UNAVAILABLE', 'the guest agent does not answer: it is not connected');
      }
      return await this.agent(request);
    });
  }

  consoleCommand(
    domainName: string,
    options: { readonly force?: boolean } = {},
  ): readonly [string, ...string[]] {
    const force = options.force === true ? ['--force'] : [];
    return ['virsh', '--connect', this.uri, 'console', '--domain', domainName, ...force];
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #call<T>(method: HypervisorMethod, subject: string, run: () => T | Promise<T>): Promise<T> {
    this.calls.push({ method, subject });
    // Every fault counts every call, so all are asked.
    const due = this.#faults.filter((fault) => fault.matches(method));
    this.#faults = this.#faults.filter((fault) => fault.always || !due.includes(fault));
    const [fault] = due;
    if (fault?.when === 'before') throw fault.error;
    const result = await run();
    if (fault?.when === 'after') throw fault.error;
    return result;
  }

  #stop(domain: FakeDomain, state: DomainState): void {
    domain.state = state;
    domain.liveXml = undefined;
    if (domain.inactiveXml === undefined) this.#domains.delete(domain.uuid);
  }

  #get(uuid: string, action: string): FakeDomain {
    const domain = this.#domains.get(uuid);
    if (domain !== undefined) return domain;
    throw failed(`${action} the domain ${uuid}`, `Domain not found: no domain with matching uuid '${uuid}'`);
  }

  #getOn(uuid: string, action: string): FakeDomain {
    const domain = this.#get(uuid, action);
    if (!isOn(domain)) throw failed(`${action} the domain ${uuid}`, 'domain is not running');
    return domain;
  }

  #getRunning(uuid: string, action: string): FakeDomain {
    const domain = this.#getOn(uuid, action);
    if (domain.state !== 'running') throw failed(`${action} the domain ${uuid}`, 'domain is not running');
    return domain;
  }

  #changeDhcp(name: string, places: DhcpHostPlaces, change: (dhcp: XmlElement) => void): void {
    const network = this.#network(name);
    if (places.live && !network.active) throw failed('update the network', 'network is not running');
    if (places.config && !network.persistent) {
      throw failed('update the network', 'cannot change persistent config of a transient network');
    }
    const changed = (xml: string): string => {
      const tree = readXml(xml);
      const dhcp = findElement(tree, 'ip', 'dhcp');
      if (dhcp === undefined) throw failed('update the network', `couldn't update dhcp host entry`);
      change(dhcp);
      return writeXml(tree);
    };
    const inactiveXml = places.config ? changed(network.inactiveXml ?? network.xml) : network.inactiveXml;
    // What is inactive has one document.
    if (!network.active) network.xml = inactiveXml ?? network.xml;
    else {
      const live = places.live ? changed(network.xml) : network.xml;
      network.inactiveXml = inactiveXml ?? network.xml;
      network.xml = live;
    }
  }

  #listenedPorts(): ReadonlySet<string> {
    const running = [...this.#domains.values()].flatMap(({ liveXml }) => forwardsIn(liveXml ?? ''));
    return new Set([...this.#takenPorts, ...running.map(({ protocol, port }) => `${protocol}:${port}`)]);
  }

  #network(name: string): FakeNetwork {
    const network = this.#networks.get(name);
    if (network === undefined) {
      throw failed('find the network', `Network not found: no network with matching name '${name}'`);
    }
    return network;
  }
}

function defaultCapabilities(): string {
  const label = `+${process.getuid?.() ?? 0}:+${process.getgid?.() ?? 0}`;
  const labels = ['kvm', 'qemu'].map((type) => `<baselabel type="${type}">${label}</baselabel>`).join('');
  const machines = Object.entries(canonicalMachines).map(
    ([alias, name]) => `<machine canonical="${name}">${alias}</machine><machine>${name}</machine>`,
  );
  return [
    '<capabilities><host><cpu><arch>x86_64</arch></cpu>',
    `<secmodel><model>none</model></secmodel><secmodel><model>dac</model>${labels}</secmodel></host>`,
    `<guest><os_type>hvm</os_type><arch name="x86_64"><emulator>/usr/bin/qemu-system-x86_64</emulator>`,
    `${machines.join('')}<domain type="qemu"/><domain type="kvm"/></arch></guest></capabilities>`,
  ].join('');
}

function isOn(domain: FakeDomain): boolean {
  return domain.state !== 'shut off' && domain.state !== 'crashed';
}

function summarize({ name, uuid, state }: FakeDomain): DomainSummary {
  return { name, uuid, state };
}

function failed(action: string, words: string): LaunchError {
  return new LaunchError('HYPERVISOR_FAILED', `cannot ${action}: libvirt says: ${words}`, {
    details: { uri: 'fake:///system' },
  });
}

/** The ports that QEMU would listen on, by the arguments in a domain's XML. */
function forwardsIn(xml: string): readonly { rule: string; protocol: string; port: string }[] {
  return [...xml.matchAll(/hostfwd=((tcp|udp):[\d.]*:(\d+)-:\d+)/g)].map(
    ([, rule = '', protocol = '', port = '']) => ({ rule, protocol, port }),
  );
}

/** The document as libvirt keeps it: with a uuid, and the machine's own name in place of an alias. */
function canonicalXml(xml: string): { readonly name: string; readonly uuid: string; readonly kept: string } {
  let domain;
  try {
    domain = readXml(xml);
  } catch (error) {
    throw failed('define the domain', `(domain_definition): ${String(error)}`);
  }
  const type = findElement(domain, 'os', 'type');
  const { name, uuid = randomUUID() } = parseDomain(xml);
  if (name === '') throw failed('define the domain', 'XML error: missing domain name');
  if (type === undefined) throw failed('define the domain', 'XML error: an os <type> must be specified');
  if (findElement(domain, 'uuid') === undefined) domain.children.push(createElement('uuid', {}, uuid));
  const machine = type.attributes.get('machine') ?? 'pc';
  type.attributes.set('machine', canonicalMachines[machine] ?? machine);
  return { name, uuid, kept: writeXml(domain) };
}
