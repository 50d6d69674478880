import { findElement } from '../../domain/xml-element.js';
import type { DomainDescription } from '../../domain/domain-description.js';
import { parseDomain } from '../../domain/parse-domain.js';
import { readXml } from '../../domain/read-xml.js';
import type { CommandOptions, CommandResult } from '../../host/command.js';
import type { DomainSummary } from '../../libvirt/hypervisor.js';
import { listInstanceRecords, type RecordListing } from '../instance-record.js';
import type { Host } from '../open-host.js';
import { parseCapabilities, type Capabilities } from './capabilities.js';
import { parseNetwork, type NetworkDocument } from './network-document.js';

/** Where the checks look; all can be pointed elsewhere. */
export interface ExaminedPlaces {
  /** The network of libvirt that guests are to be on. */
  readonly network: string;
  readonly kvmDevice: string;
  readonly proc: string;
  readonly sys: string;
  /** Where libvirt's daemons have their sockets. */
  readonly libvirtRun: string;
  readonly qemuConf: string;
  /** Where distributions keep libvirt's own document of the network `default`. */
  readonly networkDocuments: readonly string[];
}

export const defaultPlaces: ExaminedPlaces = {
  network: 'default',
  kvmDevice: '/dev/kvm',
  proc: '/proc',
  sys: '/sys',
  libvirtRun: '/run/libvirt',
  qemuConf: '/etc/libvirt/qemu.conf',
  networkDocuments: ['/usr/share/libvirt/networks/default.xml', '/etc/libvirt/qemu/networks/default.xml'],
};

export interface ObservedDomain extends DomainSummary {
  readonly description: DomainDescription;
  readonly hugePages: boolean;
}

/** A loaded machine takes a second for what takes 20 ms; a daemon that hangs takes for ever. */
const answerLimitMs = 3000;
/** A user's own libvirt is started by the first call, and looks at every emulator there is. */
const firstAnswerLimitMs = 20_000;
const commandLimitMs = 5000;

/** One look at a host. What several checks ask is asked once. */
export class Examination {
  /** libvirt's versions: rejects when it does not answer. Whatever else asks libvirt waits for it. */
  readonly versions = once(() =>
    this.host.hypervisor.readVersions(this.isSystem ? answerLimitMs : firstAnswerLimitMs),
  );
  readonly capabilities = once(async (): Promise<Capabilities> => {
    await this.versions();
    return parseCapabilities(await this.host.hypervisor.readCapabilities());
  });
  readonly domains = once(() => this.#observeDomains());
  readonly networks = once(async () => {
    await this.versions();
    return await this.host.hypervisor.listNetworks();
  });
  /** The document of the network that guests are to be on, which must be there. */
  readonly network = once(async (): Promise<NetworkDocument> => {
    return parseNetwork(await this.host.hypervisor.readNetworkXml(this.places.network));
  });
  readonly records = once((): Promise<RecordListing> => listInstanceRecords(this.host.home));

  readonly #userNames = new Map<number, Promise<string | undefined>>();

  constructor(
    readonly host: Host,
    readonly places: ExaminedPlaces,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** libvirt's files, processes and networks are those of this machine. */
  get isLocal(): boolean {
    return /^[a-z]+(\+unix)?:\/\/\//.test(this.host.hypervisor.uri);
  }

  /** Whether libvirt is the system's, not a user's own. */
  get isSystem(): boolean {
    return /\/system\b/.test(this.host.hypervisor.uri);
  }

  /** Runs a command of this machine's under a limit of time. */
  async run(
    file: string,
    args: readonly string[],
    options: Pick<CommandOptions, 'input'> = {},
  ): Promise<CommandResult> {
    return await this.host.runner.run(file, args, {
      ...options,
      timeoutMs: commandLimitMs,
      signal: this.signal,
    });
  }

  /** Undefined for an id without an entry in the user database. */
  async findUserName(uid: number): Promise<string | undefined> {
    const known = this.#userNames.get(uid) ?? this.#askUserName(uid);
    this.#userNames.set(uid, known);
    return await known;
  }

  async #askUserName(uid: number): Promise<string | undefined> {
    const { exitCode, stdout } = await this.run('getent', ['passwd', `${uid}`]);
    return exitCode === 0 ? stdout.split(':')[0] : undefined;
  }

  async #observeDomains(): Promise<readonly ObservedDomain[]> {
    await this.versions();
    const { hypervisor } = this.host;
    const found = await Promise.all(
      (await hypervisor.listDomains()).map(async (domain) => {
        try {
          const xml = await hypervisor.readDomainXml(domain.uuid);
          const hugePages = findElement(readXml(xml), 'memoryBacking', 'hugepages') !== undefined;
          return { ...domain, description: parseDomain(xml), hugePages };
        } catch (error) {
          // It may be gone by now, which is nobody's fault.
          if ((await hypervisor.findDomain(domain.uuid)) === undefined) return undefined;
          throw error;
        }
      }),
    );
    return found.filter((domain) => domain !== undefined);
  }
}

/** @returns a function that does the work at its first call, and gives everyone the same promise */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let promise: Promise<T> | undefined;
  return () => (promise ??= work());
}
