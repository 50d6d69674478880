import type { Domain, DomainState as NativeState, Hypervisor as Connection } from '@unraid/libvirt';
import type { CommandRunner } from '../host/command.js';
import { installCommand } from '../host/install-command.js';
import { LaunchError } from '../host/launch-error.js';
import { sideBySide } from '../host/side-by-side.js';
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
} from './hypervisor.js';
import { hypervisorError, unreachable } from './libvirt-error.js';
import { Virsh } from './virsh.js';

/** virDomainState, by number. */
const stateNames: readonly DomainState[] = [
  'no state',
  'running',
  'idle',
  'paused',
  'in shutdown',
  'shut off',
  'crashed',
  'pmsuspended',
];

/** More would wait for Node's four threads. */
const domainsAtATime = 16;

/** libvirt through its node binding, and through virsh for the calls that the binding lacks. */
export class LibvirtHypervisor implements Hypervisor {
  readonly uri: string;
  readonly #virsh: Virsh;
  readonly #underWay = new Set<Promise<unknown>>();
  #connection: Promise<Connection> | undefined;

  constructor(uri: string, runner: CommandRunner) {
    this.uri = uri;
    this.#virsh = new Virsh(uri, runner);
  }

  async listDomains(): Promise<readonly DomainSummary[]> {
    return await this.#call('list the domains', async (connection) =>
      // A domain may vanish between the list and the question for its state.
      (
        await sideBySide(await connection.connectListAllDomains(), domainsAtATime, (domain) =>
          summarize(domain).catch(() => undefined),
        )
      ).filter((domain) => domain !== undefined),
    );
  }

  async findDomain(uuid: string): Promise<DomainSummary | undefined> {
    return await this.#call(`find the domain ${uuid}`, async (connection) => {
      const domain = await lookUp(connection, uuid);
      return domain === undefined ? undefined : await summarize(domain);
    });
  }

  async readDomainXml(uuid: string, options: { readonly inactive?: boolean } = {}): Promise<string> {
    return await this.#onDomain('read the XML of', uuid, async (domain) => {
      const { INACTIVE, NONE } = (await loadBinding()).DomainGetXMLDescFlags;
      return await domain.getXMLDesc(options.inactive === true ? INACTIVE : NONE);
    });
  }

  async defineDomain(xml: string): Promise<DomainSummary> {
    return await this.#call('define the domain', async (connection) =>
      summarize(await connection.domainDefineXML(xml)),
    );
  }

  async startDomain(uuid: string): Promise<void> {
    await this.#onDomain('start', uuid, (domain) => domain.create());
  }

  async shutdownDomain(uuid: string): Promise<void> {
    await this.#onDomain('shut down', uuid, (domain) => domain.shutdown());
  }

  async rebootDomain(uuid: string): Promise<void> {
    await this.#virsh.run('reboot the domain', ['reboot', '--domain', uuid, '--mode', 'acpi']);
  }

  async destroyDomain(uuid: string): Promise<void> {
    await this.#onDomain('stop', uuid, (domain) => domain.destroy());
  }

  async suspendDomain(uuid: string): Promise<void> {
    await this.#onDomain('pause', uuid, (domain) => domain.suspend());
  }

  async resumeDomain(uuid: string): Promise<void> {
    await this.#onDomain('resume', uuid, (domain) => domain.resume());
  }

  async undefineDomain(uuid: string): Promise<void> {
    try {
      await this.#onDomain('undefine', uuid, (domain) => domain.undefine());
    } catch {
      // The binding knows no flags; a domain with saved state, snapshots or NVRAM needs them.
      // prettier-ignore
      const flags = ['--managed-save', '--snapshots-metadata', '--checkpoints-metadata', '--nvram'];
      await this.#virsh.run('undefine the domain', ['undefine', '--domain', uuid, ...flags]);
    }
  }

  async listNetworks(): Promise<readonly NetworkSummary[]> {
    return await this.#virsh.listNetworks();
  }

  async startNetwork(name: string): Promise<void> {
    await this.#virsh.run(`start the network "${name}"`, ['net-start', '--network', name]);
  }

  async listLeases(network: string): Promise<readonly NetworkLease[]> {
    return await this.#virsh.listLeases(network);
  }

  async readVersions(timeoutMs: number): Promise<HypervisorVersions> {
    return await this.#virsh.readVersions(timeoutMs);
  }

  async readCapabilities(): Promise<string> {
    return await this.#virsh.run('read the capabilities', ['capabilities']);
  }

  async readNetworkXml(name: string, options: { readonly inactive?: boolean } = {}): Promise<string> {
    const inactive = options.inactive === true ? ['--inactive'] : [];
    return await this.#virsh.run(`read the network "${name}"`, [
      ...['net-dumpxml', '--network', name, ...inactive],
    ]);
  }

  async addDhcpHost(network: string, host: DhcpHost, places: DhcpHostPlaces): Promise<void> {
    await this.#virsh.updateDhcpHost('add', network, host, places);
  }

  async removeDhcpHost(network: string, host: DhcpHost, places: DhcpHostPlaces): Promise<void> {
    await this.#virsh.updateDhcpHost('delete', network, host, places);
  }

  async readNetworkSettings(name: string): Promise<NetworkSettings> {
    return await this.#virsh.readNetworkSettings(name);
  }

  async setNetworkAutostart(name: string): Promise<void> {
    await this.#virsh.run(`mark the network "${name}" for autostart`, ['net-autostart', '--network', name]);
  }

  async defineNetwork(path: string): Promise<void> {
    await this.#virsh.run('define the network', ['net-define', '--file', path]);
  }

  async restartNetworkDhcp(name: string): Promise<void> {
    await this.#virsh.restartNetworkDhcp(name);
  }

  async findVolumePath(pool: string, name: string): Promise<string | undefined> {
    return await this.#virsh.findVolumePath(pool, name);
  }

  async askAgent(
    uuid: string,
    request: AgentRequest,
    options: { readonly timeoutSeconds: number },
  ): Promise<unknown> {
    return await this.#virsh.askAgent(uuid, request, options);
  }

  consoleCommand(
    domainName: string,
    options: { readonly force?: boolean } = {},
  ): readonly [string, ...string[]] {
    const force = options.force === true ? ['--force'] : [];
    return ['virsh', '--connect', this.uri, 'console', '--domain', domainName, ...force];
  }

  async close(): Promise<void> {
    // libvirt frees what a connection has when it is closed, also under a call in another thread.
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    const connection = await this.#connection?.catch(() => undefined);
    this.#connection = undefined;
    await connection?.connectClose();
  }

  async #onDomain<T>(action: string, uuid: string, run: (domain: Domain) => Promise<T>): Promise<T> {
    return await this.#call(`${action} the domain ${uuid}`, async (connection) =>
      run(await connection.domainLookupByUUIDString(uuid)),
    );
  }

  async #call<T>(action: string, run: (connection: Connection) => Promise<T>): Promise<T> {
    const { uri } = this;
    this.#connection ??= open(uri);
    const answer = this.#connection.then(run);
    this.#underWay.add(answer);
    try {
      return await answer;
    } catch (error) {
      const failure = hypervisorError(action, uri, error);
      // A daemon that was restarted closed our connection; the next call opens a new one.
      if (failure.code === 'HYPERVISOR_UNREACHABLE') this.#connection = undefined;
      throw failure;
    } finally {
      this.#underWay.delete(answer);
    }
  }
}

async function open(uri: string): Promise<Connection> {
  const { Hypervisor: Connection } = await loadBinding();
  const connection = new Connection({ uri });
  await connection.connectOpen().catch((error: unknown) => {
    throw unreachable(uri, error);
  });
  return connection;
}

/** Loaded late: image and flavor commands need no libvirt, and start without its library. */
async function loadBinding() {
  return await import('@unraid/libvirt').catch((cause: unknown) => {
    throw new LaunchError('HYPERVISOR_UNREACHABLE', 'cannot load the node binding for libvirt', {
      hint: `it is built when it is installed:  ${installCommand(['libvirt-dev', 'g++'])} && npm rebuild @unraid/libvirt`,
      cause,
    });
  });
}

async function lookUp(connection: Connection, uuid: string): Promise<Domain | undefined> {
  try {
    return await connection.domainLookupByUUIDString(uuid);
  } catch (error) {
    // The binding's errors have no code, so absence is judged by the list, not by the words.
    for (const domain of await connection.connectListAllDomains()) {
      if ((await domain.getUUIDString()) === uuid) throw error;
    }
    return undefined;
  }
}

async function summarize(domain: Domain): Promise<DomainSummary> {
  const [name, uuid, found] = await Promise.all([domain.getName(), domain.getUUIDString(), domain.getInfo()]);
  return { name, uuid, state: stateName(found.state) };
}

function stateName(state: NativeState): DomainState {
  return stateNames[state] ?? 'no state';
}
