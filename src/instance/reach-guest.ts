import { setTimeout as sleep } from 'node:timers/promises';
import { readSshBanner } from '../guest/ssh/ssh-banner.js';
import type { SshEndpoint } from '../guest/ssh/ssh-options.js';
import type { Work } from '../host/work.js';
import { findAddresses } from './guest-addresses.js';
import { checkGuestRuns } from './guest-state.js';
import type { InstanceRecord } from './instance-record.js';
import type { Host } from './open-host.js';
import { sshEndpoints } from './ssh-endpoint.js';
import { waitReady } from './wait-ready.js';

const bannerTimeoutMs = 3000;
const pollMs = 500;
const patientLooks = 6;

/**
 * Where the guest's sshd answers; waits for one that is still booting, and shows the stage that it has
 * reached. Whether it lets anybody in is another question.
 *
 * @param options.action what for, in an error's words: `log in to`
 * @throws LaunchError INSTANCE_STATE, DOMAIN_NOT_FOUND; WAIT_TIMEOUT, GUEST_FAILED with an autopsy
 */
export async function reachGuest(
  host: Host,
  instance: InstanceRecord,
  options: { readonly action: string; readonly timeoutMs: number; readonly work?: Work },
): Promise<SshEndpoint> {
  const { action, timeoutMs, work = {} } = options;
  await checkGuestRuns(host, instance, { action });
  return (
    (await findAnswering(host, instance, work.signal)) ??
    (await waitForAnswer(host, instance, { action, timeoutMs, work }))
  );
}

/** The wait is for a login, which tells most about a guest that does not come; a banner is enough for us. */
async function waitForAnswer(
  host: Host,
  instance: InstanceRecord,
  options: { readonly action: string; readonly timeoutMs: number; readonly work: Work },
): Promise<SshEndpoint> {
  const { action, timeoutMs, work } = options;
  const stop = new AbortController();
  const signal = work.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, work.signal]);
  let found: SshEndpoint | undefined;
  const waiting = waitReady(
    host,
    instance,
    { kind: 'ssh' },
    {
      timeoutMs,
      work: {
        signal,
        onEvent: (event) => {
          // That we gave up waiting is no failure, once we have what we want.
          const answering = found;
          if (answering === undefined || event.type !== 'step-failed') work.onEvent?.(event);
          else work.onEvent?.({ ...event, type: 'step-done', message: describe(answering) });
        },
      },
    },
  );
  const knocking = (async () => {
    for (let silentLooks = 0; !signal.aborted && found === undefined;) {
      // A snapshot pauses a guest for a moment; one that stays paused will not answer.
      silentLooks = (await isPaused(host, instance)) ? silentLooks + 1 : 0;
      if (silentLooks > patientLooks) await checkGuestRuns(host, instance, { action });
      found = await findAnswering(host, instance, signal);
      if (found === undefined) await sleep(pollMs, undefined, { signal }).catch(() => undefined);
    }
    return found;
  })();
  try {
    const ready = await Promise.race([waiting, knocking]);
    if (ready !== undefined && 'port' in ready) return ready;
    // Let in, then; or ended, and the wait knows why.
    const endpoint = (await waiting).sshEndpoint ?? (await knocking);
    if (endpoint === undefined) throw new Error('a guest let somebody in, and nobody knows where');
    return endpoint;
  } finally {
    stop.abort();
    await Promise.allSettled([waiting, knocking]);
  }
}

/** The first address, in their order, where an sshd answers: an old lease may be somebody else's by now. */
async function findAnswering(
  host: Host,
  instance: InstanceRecord,
  signal: AbortSignal | undefined,
): Promise<SshEndpoint | undefined> {
  const endpoints = sshEndpoints(instance, await findAddresses(host, instance));
  const banners = await Promise.all(
    endpoints.map((endpoint) => readSshBanner(endpoint, { timeoutMs: bannerTimeoutMs, signal })),
  );
  return endpoints.find((_, index) => banners[index] !== undefined);
}

async function isPaused(host: Host, { uuid }: InstanceRecord): Promise<boolean> {
  return (await host.hypervisor.findDomain(uuid))?.state === 'paused';
}

function describe({ address, port }: SshEndpoint): string {
  return port === 22 ? `sshd answers at ${address}` : `sshd answers at ${address} port ${port}`;
}
