import type { SshEndpoint } from '../../guest/ssh/ssh-options.js';
import type { Work } from '../../host/work.js';
import { findAddresses } from '../readiness/guest-addresses.js';
import { checkGuestRuns } from './guest-state.js';
import type { InstanceRecord } from '../instance-record.js';
import { knockGuest, type KnockPatience } from '../readiness/knock-guest.js';
import type { Host } from '../open-host.js';
import { waitReady } from '../readiness/wait-ready.js';

/** For a guest that has been up for long: it answers at once, or a wait begins that is seen. */
const brief: KnockPatience = {
  connectTimeoutMs: 1000,
  greetingTimeoutMs: 2000,
  forwardedGreetingTimeoutMs: 2000,
};
/** A snapshot pauses a guest for a moment; one that stays paused for so many seconds will not answer. */
const patientLooks = 3;

/**
 * Where the guest's sshd answers; waits for one that is still booting, and shows the stage that it has
 * reached. Whether it lets anybody in is another question.
 *
 * @param options.action what for, in an error's words: `log in to`
 * @throws LaunchError INSTANCE_STATE, DOMAIN_NOT_FOUND; WAIT_TIMEOUT, GUEST_FAILED with an autopsy; INTERRUPTED
 */
export async function reachGuest(
  host: Host,
  instance: InstanceRecord,
  options: { readonly action: string; readonly timeoutMs: number; readonly work?: Work },
): Promise<SshEndpoint> {
  const { action, timeoutMs, work = {} } = options;
  await checkGuestRuns(host, instance, { action });
  const addresses = await findAddresses(host, instance, { agent: false });
  const [first] = await knockGuest(instance, addresses, { patience: brief, signal: work.signal });
  if (first?.answer === 'ssh') return first.endpoint;
  let pausedLooks = 0;
  const { sshEndpoint } = await waitReady(
    host,
    instance,
    { kind: 'ssh' },
    {
      timeoutMs,
      work,
      login: false,
      onLook: async (state) => {
        pausedLooks = state === 'paused' ? pausedLooks + 1 : 0;
        if (pausedLooks > patientLooks) await checkGuestRuns(host, instance, { action });
      },
    },
  );
  if (sshEndpoint === undefined) throw new Error('an ssh server answered, and nobody knows where');
  return sshEndpoint;
}
