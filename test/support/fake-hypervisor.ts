import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { parseDomain } from '../../src/domain/parse-domain.js';
import { readXml } from '../../src/domain/read-xml.js';
import { writeXml } from '../../src/domain/write-xml.js';
import { createElement, findElement } from '../../src/domain/xml-element.js';
import { LaunchError } from '../../src/host/launch-error.js';
import type {
  DomainState,
  DomainSummary,
  Hypervisor,
  NetworkLease,
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
  readonly #domains = new Map<string, FakeDomain>();
  readonly #networks = new Map<string, { active: boolean; leases: NetworkLease[] }>();
  readonly #volumes = new Map<string, string>();
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

  addNetwork(name: string, options: { readonly active?: boolean } = {}): void {
    this.#networks.set(name, { active: options.active ?? true, leases: [] });
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

  listLeases(network: string): Promise<readonly NetworkLease[]> {
    return this.#call('listLeases', network, () => [...this.#network(network).leases]);
  }

  findVolumePath(pool: string, name: string): Promise<string | undefined> {
    return this.#call('findVolumePath', `${pool}/${name}`, () => this.#volumes.get(`${pool}/${name}`));
  }

  consoleCommand(domainName: string): readonly [string, ...string[]] {
    return ['virsh', '--connect', this.uri, 'console', '--domain', domainName];
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

  #network(name: string): { active: boolean; leases: NetworkLease[] } {
    const network = this.#networks.get(name);
    if (network === undefined) {
      throw failed('find the network', `Network not found: no network with matching name '${name}'`);
    }
    return network;
  }
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
