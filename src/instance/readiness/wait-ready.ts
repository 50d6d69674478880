import { diagnose } from '../../guest/autopsy/autopsy.js';
import { followConsoleLog } from '../../guest/boot/console-log.js';
import type { Evidence } from '../../guest/autopsy/evidence.js';
import { sinceLastBoot } from '../../guest/boot/console-story.js';
import { plainLine } from '../../guest/boot/plain-text.js';
import { checkInterrupted, type Work } from '../../host/work.js';
import type { DomainState } from '../../libvirt/hypervisor.js';
import { waitFailure } from './autopsy.js';
import { BootWatch } from './boot-watch.js';
import { probeAddresses, probeCloudInit, probeSsh, type Probing } from './boot-probes.js';
import type { InstanceRecord } from '../instance-record.js';
import type { Host } from '../open-host.js';
import { readyGuest, startedGuest, type ReadyGuest } from './ready-guest.js';
import { isForwarded } from './ssh-endpoint.js';
import type { WaitFor } from '../plan-launch.js';
import { describeProgress, describeReady, missingWords } from './wait-words.js';

export interface WaitReadyOptions {
  readonly timeoutMs: number;
  readonly work?: Work;
  /** The instance was started for the first time a moment ago. */
  readonly fresh?: boolean;
  /** false: for ssh it is enough that the server answers. */
  readonly login?: boolean;
  /** Called about once a second with libvirt's word; what it throws ends the wait. */
  readonly onLook?: (state: DomainState | undefined) => Promise<void>;
  /** Name of the step that is shown; by default what is waited for. */
  readonly step?: string;
}

type Goal = Evidence['goal'];

const domainEveryMs = 1000;
const consoleTailLength = 65_536;

/**
 * Waits until a guest has an address, lets somebody in over ssh, has finished cloud-init or prints a line.
 * Stages are told as they are reached. Ends early when the guest cannot get there any more.
 *
 * @throws LaunchError WAIT_TIMEOUT, GUEST_FAILED or INSTANCE_STATE with an autopsy (docs/readiness.md);
 * INTERRUPTED. The guest is left as it is.
 */
export async function waitReady(
  host: Host,
  instance: InstanceRecord,
  waitFor: WaitFor,
  options: WaitReadyOptions,
): Promise<ReadyGuest> {
  const { work = {} } = options;
  checkInterrupted(work);
  const isRunningEnough = waitFor.kind === 'none' || waitFor.kind === 'running';
  if (isRunningEnough && options.fresh === true) return startedGuest;
  const watch = await BootWatch.begin(host, instance);
  if (isRunningEnough) return readyGuest(watch, undefined);
  const step = options.step ?? waitFor.kind;
  work.onEvent?.({ type: 'step-started', step, message: 'started' });
  const stop = new AbortController();
  const signal = work.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, work.signal]);
  const probes = startProbes(
    watch,
    waitFor.kind,
    {
      signal,
      fresh: options.fresh === true,
      notice: (message) => work.onEvent?.({ type: 'notice', message }),
    },
    options.login ?? true,
  );
  try {
    const line = await Promise.race([
      follow(watch, waitFor, { ...options, step }),
      ...probes.map(onlyErrors),
    ]);
    const ready = readyGuest(watch, line);
    work.onEvent?.({ type: 'step-done', step, message: describeReady(ready, waitFor.kind) });
    return ready;
  } catch (error) {
    const missing = options.login === false ? 'no ssh server' : missingWords[waitFor.kind];
    const after = `after ${Math.round(watch.secondsSinceStart)} s`;
    work.onEvent?.({ type: 'step-failed', step, message: `${missing} ${after}` });
    throw error;
  } finally {
    stop.abort();
    await Promise.allSettled(probes);
  }
}

function startProbes(
  watch: BootWatch,
  goal: Goal,
  probing: Probing,
  login: boolean,
): readonly Promise<void>[] {
  const probes = [probeAddresses(watch, probing)];
  if (goal === 'ssh' || goal === 'cloud-init') probes.push(probeSsh(watch, probing, { login }));
  // A forwarded port, and a lease of an earlier start, are proved by knocking only.
  else if (goal === 'address' && (!probing.fresh || isForwarded(watch.instance))) {
    probes.push(probeSsh(watch, probing, { login: false }));
  }
  if (goal === 'cloud-init') probes.push(probeCloudInit(watch, probing));
  return probes;
}

/** A probe that is done has nothing to say; one that fails ends the wait. */
async function onlyErrors(probe: Promise<void>): Promise<never> {
  await probe;
  return await new Promise<never>(() => undefined);
}

/** Reads the console and looks at the domain until the goal is reached. */
async function follow(
  watch: BootWatch,
  waitFor: WaitFor,
  options: WaitReadyOptions & { readonly step: string },
): Promise<string | undefined> {
  const { work = {}, timeoutMs, step } = options;
  const { host, instance } = watch;
  const goal = waitFor.kind as Goal;
  const deadline = performance.now() + timeoutMs;
  const { consoleLog } = host.home.instance(instance.domainName);
  let nextLook = 0;
  let seen = '';
  let told = '';
  let looks = 0;
  const fromByte = await watch.consoleStart();
  for await (const text of followConsoleLog(consoleLog, { fromByte, work })) {
    watch.print(text, { atFirstLook: (looks += 1) === 1 });
    if (waitFor.kind === 'console') {
      seen = sinceLastBoot(seen + text).slice(-consoleTailLength);
      const found = waitFor.pattern.exec(seen);
      if (found !== null) return lineAt(seen, found.index);
    }
    if (isReached(watch, goal, options.login ?? true)) return undefined;
    const message = describeProgress(watch, goal);
    if (message !== told) work.onEvent?.({ type: 'step-progress', step, message });
    told = message;
    if (performance.now() >= nextLook) {
      nextLook = performance.now() + domainEveryMs;
      await watch.lookAtDomain();
      await options.onLook?.(watch.domainState);
      // The console may have been written to the end between our two looks.
      const { final } = diagnose(watch.evidence(goal, quickCards(instance)), instance.domainName);
      if (final && looks > 1) throw await waitFailure(watch, waitFor, { timeoutMs, final });
    }
    if (performance.now() >= deadline) throw await waitFailure(watch, waitFor, { timeoutMs, final: false });
  }
  throw new Error('following a console log ended');
}

/** The cards without looking at them: enough to see what cannot change any more. */
function quickCards({ interfaces }: InstanceRecord): Evidence['cards'] {
  return interfaces.map(({ kind, macAddress }) => ({
    ...{ kind, name: '', macAddress, sentPackets: undefined, dhcp: 'served' as const, dhcpLog: [] },
  }));
}

function isReached(watch: BootWatch, goal: Goal, login: boolean): boolean {
  switch (goal) {
    case 'address':
      return watch.addresses.length > 0 || watch.ssh?.answer === 'ssh';
    case 'ssh':
      return watch.loginUser !== undefined || (!login && watch.ssh?.answer === 'ssh');
    case 'cloud-init':
      return hasFinishedCloudInit(watch);
    case 'console':
      return false;
  }
}

/** cloud-init that finished with errors has not done what it was to do: that ends the wait otherwise. */
function hasFinishedCloudInit(watch: BootWatch): boolean {
  const { cloudInit } = watch.console.story();
  if (cloudInit.finished === undefined && watch.cloudInit === undefined) return false;
  const complaints = [cloudInit.problems, cloudInit.userDataUnreadable, cloudInit.userDataFailed];
  return complaints.every((lines) => lines.length === 0) && (watch.cloudInit?.errors.length ?? 0) === 0;
}

function lineAt(text: string, index: number): string {
  const start = text.lastIndexOf('\n', index - 1) + 1;
  const end = text.indexOf('\n', index);
  return plainLine(text.slice(start, end === -1 ? undefined : end));
}
