import { setTimeout as sleep } from 'node:timers/promises';
import { execByAgent } from '../../guest/agent-exec.js';
import { cloudInitScript, parseCloudInitAnswer } from '../../guest/boot/cloud-init-report.js';
import type { SshEndpoint } from '../../guest/ssh/ssh-options.js';
import { isBefore } from '../../guest/boot/stage.js';
import { LaunchError } from '../../host/launch-error.js';
import type { BootWatch } from './boot-watch.js';
import { findAddresses, type GuestAddress } from './guest-addresses.js';
import { knockGuest, patient } from './knock-guest.js';
import { readOverSsh, tryLogin } from './login-probe.js';
import { findLoginUser } from '../login/login-user.js';
import { isForwarded } from './ssh-endpoint.js';

/** How the questions go on until nobody wants to know any more. */
export interface Probing {
  readonly signal: AbortSignal;
  /** The guest was started for the first time a moment ago: no address can be an older one's. */
  readonly fresh: boolean;
  readonly notice: (message: string) => void;
}

const addressEveryMs = 700;
const earlyEveryMs = 2000;
const agentEveryMs = 5000;
const loginEveryMs = 1500;
const refusedEveryMs = 4000;
const cloudInitEveryMs = 3000;

/** Asks for addresses, slowly while the guest cannot have one yet. */
export async function probeAddresses(watch: BootWatch, probing: Probing): Promise<void> {
  let nextAgent = 0;
  let first: ReadonlySet<string> | undefined;
  let isFirst = true;
  await repeat(probing.signal, async () => {
    const { spoke, stage } = watch.console.story();
    const early = spoke && (stage === undefined || isBefore(stage, 'kernel'));
    const agent = !early && performance.now() >= nextAgent;
    if (agent) nextAgent = performance.now() + agentEveryMs;
    const found = await findAddresses(watch.host, watch.instance, { agent });
    first ??= new Set(found.map(keyOf));
    const known = first;
    const isProven = (one: GuestAddress) => probing.fresh || one.recent || !known.has(keyOf(one));
    watch.candidates = found;
    watch.prove(found.filter(isProven), { atFirstLook: isFirst });
    isFirst = false;
    return early ? earlyEveryMs : addressEveryMs;
  });
}

function keyOf({ address, source }: GuestAddress): string {
  return `${source} ${address}`;
}

/** Knocks at each place where ssh may answer; a login is tried where it does, when `login` is asked for. */
export async function probeSsh(
  watch: BootWatch,
  probing: Probing,
  options: { readonly login: boolean },
): Promise<void> {
  let user = options.login ? await findLoginUser(watch.host, watch.instance) : undefined;
  let atFirstLook = true;
  await repeat(probing.signal, async () => {
    if (watch.candidates.length === 0 && !isForwarded(watch.instance)) return addressEveryMs / 4;
    const found = await knockAll(watch, { signal: probing.signal, atFirstLook });
    if (found === undefined) return addressEveryMs;
    const { endpoint, answer, banner } = found;
    const login = watch.ssh?.answer === 'ssh' ? watch.ssh.login : undefined;
    watch.ssh = { ...endpoint, answer, banner, login: answer === 'ssh' ? login : undefined };
    const look = { atFirstLook };
    atFirstLook = false;
    if (answer !== 'ssh') return loginEveryMs;
    watch.reach('network', look);
    watch.reach('ssh', look);
    if (!options.login) return loginEveryMs;
    const attempt = await attemptLogin(watch, endpoint, { user: user ?? 'root', probing });
    if (attempt.advised !== undefined && attempt.advised !== user) {
      user = attempt.advised;
      return 0;
    }
    const { outcome, words } = attempt;
    watch.ssh = { ...watch.ssh, login: { outcome, user: attempt.user, words } };
    if (outcome === 'accepted') watch.loginUser = attempt.user;
    return outcome === 'accepted' ? undefined : outcome === 'refused' ? refusedEveryMs : loginEveryMs;
  });
}

async function attemptLogin(
  watch: BootWatch,
  endpoint: SshEndpoint,
  options: { readonly user: string; readonly probing: Probing },
) {
  const { user, probing } = options;
  try {
    return await tryLogin(watch.host, watch.instance, endpoint, { user, signal: probing.signal });
  } catch (error) {
    if (!(error instanceof LaunchError) || error.code !== 'COMMAND_MISSING') throw error;
    probing.notice('there is no ssh on this host to log in with: that the server answers has to do');
    return { outcome: 'accepted', user, words: '', advised: undefined } as const;
  }
}

/** The first place that answers as ssh; without one, the answer that says the most. */
async function knockAll(
  watch: BootWatch,
  options: { readonly signal: AbortSignal; readonly atFirstLook: boolean },
) {
  const { signal, atFirstLook } = options;
  const knocks = await knockGuest(watch.instance, watch.candidates, { patience: patient, signal });
  if (signal.aborted) return undefined;
  // Whoever refuses or answers is there, whatever the age of the lease.
  const alive = knocks.filter(({ answer }) => answer !== 'silent' && answer !== 'unreachable');
  watch.prove(
    watch.candidates.filter(({ address }) => alive.some(({ endpoint }) => endpoint.address === address)),
    { atFirstLook },
  );
  return knocks[0];
}

/** Asks cloud-init itself, through the agent and over ssh, whichever works; the console may be silent. */
export async function probeCloudInit(watch: BootWatch, probing: Probing): Promise<void> {
  const { host, instance } = watch;
  let asked = 0;
  await repeat(probing.signal, async () => {
    const { ssh, loginUser } = watch;
    if (loginUser !== undefined) asked += 1;
    const text =
      ssh !== undefined && loginUser !== undefined
        ? await readOverSsh(host, instance, ssh, {
            ...{ user: loginUser, signal: probing.signal, script: cloudInitScript },
          })
        : watch.addresses.length > 0
          ? await readByAgent(watch)
          : undefined;
    const answer = parseCloudInitAnswer(text ?? '');
    if (answer?.state === 'absent') watch.withoutCloudInit = true;
    if (answer?.state !== 'finished') return cloudInitEveryMs;
    watch.cloudInit = answer.report;
    watch.reach('cloud-init', { atFirstLook: asked === 1 });
    return undefined;
  });
}

async function readByAgent({ host, instance }: BootWatch): Promise<string | undefined> {
  try {
    const result = await execByAgent(
      (request) => host.hypervisor.askAgent(instance.uuid, request, { timeoutSeconds: 3 }),
      ['/bin/sh', '-c', cloudInitScript],
      { timeoutMs: 10_000 },
    );
    return result.exitCode === 0 ? result.stdout.toString('utf8') : undefined;
  } catch (error) {
    if (error instanceof LaunchError && error.code !== 'HYPERVISOR_UNREACHABLE') return undefined;
    throw error;
  }
}

/** Does something again and again, after as many milliseconds as it says, until it says nothing. */
async function repeat(signal: AbortSignal, act: () => Promise<number | undefined>): Promise<void> {
  while (!signal.aborted) {
    const pauseMs = await act();
    if (pauseMs === undefined) return;
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}
