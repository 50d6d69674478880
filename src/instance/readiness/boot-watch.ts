import { stat } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import type { CloudInitReport, Evidence, SshEvidence } from '../../guest/autopsy/evidence.js';
import { ConsoleReader, sinceLastBoot } from '../../guest/boot/console-story.js';
import { stages, type ReachedStage, type Stage } from '../../guest/boot/stage.js';
import { findEmulator, readEmulator, type EmulatorProcess } from '../../host/emulator-process.js';
import type { DomainState } from '../../libvirt/hypervisor.js';
import type { GuestAddress } from './guest-addresses.js';
import type { InstanceRecord } from '../instance-record.js';
import type { Host } from '../open-host.js';

/** A wait that begins this soon after the start has seen every stage come. */
const fromTheStartMs = 6000;
/** Over how long processor time is measured. */
const busyOverMs = 3000;

/** What a wait has seen of one guest so far. Whoever learns something writes it here. */
export class BootWatch {
  readonly console = new ConsoleReader();
  domainState: DomainState | undefined = 'running';
  /** Addresses that somebody told of; a lease among them may be of an earlier start. */
  candidates: readonly GuestAddress[] = [];
  /** Those at which the guest is. */
  addresses: readonly GuestAddress[] = [];
  ssh: SshEvidence | undefined;
  cloudInit: CloudInitReport | undefined;
  withoutCloudInit = false;
  /** The user that a login was accepted for. */
  loginUser: string | undefined;
  lastPrintedAt = performance.now();
  readonly #reached = new Map<Stage, number | null>();
  readonly #startedAt: number;
  /** The wait began long after the start: what a first look shows may have come long before. */
  readonly #late: boolean;
  #samples: readonly { readonly at: number; readonly cpuSeconds: number }[] = [];

  private constructor(
    readonly host: Host,
    readonly instance: InstanceRecord,
    readonly emulator: EmulatorProcess | undefined,
  ) {
    this.#startedAt = performance.now() - (emulator?.ageMs ?? 0);
    this.#late = (emulator?.ageMs ?? 0) > fromTheStartMs;
    this.#reached.set('started', 0);
  }

  static async begin(host: Host, instance: InstanceRecord): Promise<BootWatch> {
    return new BootWatch(host, instance, await findEmulator(instance.uuid));
  }

  /** Where this start begins in the log, as far as it can be told: what an earlier one printed is no news. */
  async consoleStart(): Promise<number> {
    const { consoleLog } = this.host.home.instance(this.instance.domainName);
    const found = await stat(consoleLog).catch(() => undefined);
    if (found === undefined || this.emulator === undefined) return 0;
    const silentYet = found.mtimeMs < Date.now() - this.emulator.ageMs;
    return silentYet ? found.size : 0;
  }

  get secondsSinceStart(): number {
    return (performance.now() - this.#startedAt) / 1000;
  }

  get stage(): Stage {
    return stages.findLast((stage) => this.#reached.has(stage)) ?? 'started';
  }

  get reached(): readonly ReachedStage[] {
    return stages.flatMap((stage) => {
      const atSeconds = this.#reached.get(stage);
      return atSeconds === undefined ? [] : [{ stage, atSeconds }];
    });
  }

  /** Only the first time counts: a guest that reboots has been there already. */
  reach(stage: Stage, options: { readonly atFirstLook: boolean }): void {
    if (this.#reached.has(stage)) return;
    const unknown = this.#late && options.atFirstLook;
    this.#reached.set(stage, unknown ? null : Math.round(this.secondsSinceStart * 10) / 10);
  }

  /** The guest is at these addresses. */
  prove(found: readonly GuestAddress[], options: { readonly atFirstLook: boolean }): void {
    const proven = new Set([...this.addresses, ...found].map(({ address }) => address));
    // In the order of the candidates, which is that in which they are tried.
    this.addresses = this.candidates.filter(({ address }) => proven.has(address));
    if (this.addresses.length > 0) this.reach('network', options);
  }

  /** A piece of the console, also an empty one. */
  print(text: string, options: { readonly atFirstLook: boolean }): void {
    // The log goes on over starts: what a boot before this one reached is no news.
    const last = options.atFirstLook ? sinceLastBoot(text) : text;
    this.console.feed(text.slice(0, text.length - last.length));
    for (const stage of this.console.feed(last)) this.reach(stage, options);
    if (text !== '') this.lastPrintedAt = performance.now();
  }

  /** Looks at the domain and its process; about once a second. */
  async lookAtDomain(): Promise<void> {
    this.domainState = (await this.host.hypervisor.findDomain(this.instance.uuid))?.state;
    if (this.emulator === undefined) return;
    const now = await readEmulator(this.emulator.pid);
    if (now === undefined) return;
    const recent = this.#samples.filter(({ at }) => performance.now() - at < 2 * busyOverMs);
    this.#samples = [...recent, { at: performance.now(), cpuSeconds: now.cpuSeconds }];
  }

  /** Processors kept busy lately; undefined before there is a measure. */
  get busyCpus(): number | undefined {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at - first.at < busyOverMs) return undefined;
    return ((last.cpuSeconds - first.cpuSeconds) * 1000) / (last.at - first.at);
  }

  evidence(goal: Evidence['goal'], cards: Evidence['cards']): Evidence {
    return {
      goal,
      domainState: this.domainState,
      virtType: this.instance.virtType,
      console: this.console.story(),
      quietSeconds: (performance.now() - this.lastPrintedAt) / 1000,
      busyCpus: this.busyCpus,
      hostLoad: (loadavg()[0] ?? 0) / availableParallelism(),
      cards,
      addresses: this.addresses.map(({ address, source }) => ({ address, source })),
      ssh: this.ssh,
      cloudInit: this.cloudInit,
      withoutCloudInit: this.withoutCloudInit,
    };
  }
}
