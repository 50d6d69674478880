import { knock, type Knock } from '../../guest/boot/knock.js';
import type { SshEndpoint } from '../../guest/ssh/ssh-options.js';
import type { GuestAddress } from './guest-addresses.js';
import type { InstanceRecord } from '../instance-record.js';
import { sshEndpoints } from './ssh-endpoint.js';

/** What came back from one of the places where a guest's ssh server may be. */
export type GuestKnock = Knock & { readonly endpoint: SshEndpoint };

export interface KnockPatience {
  readonly connectTimeoutMs: number;
  /** At the guest's own address: who takes a connection there is the guest. */
  readonly greetingTimeoutMs: number;
  /** At a forwarded port: QEMU takes the connection, long before anybody in the guest listens. */
  readonly forwardedGreetingTimeoutMs: number;
}

/** A busy guest takes seconds to fork the process that greets. */
export const patient: KnockPatience = {
  connectTimeoutMs: 4000,
  greetingTimeoutMs: 15_000,
  forwardedGreetingTimeoutMs: 8000,
};

/** How much longer the others get once one has greeted: an old lease may take its time. */
const othersMs = 500;

/** Best first; among equals the order of the endpoints stays. */
const order = ['ssh', 'refused', 'foreign', 'mute', 'silent', 'unreachable'];

/** Knocks at each of the addresses and forwarded ports at once; the most telling answer comes first. */
export async function knockGuest(
  instance: Pick<InstanceRecord, 'interfaces'>,
  addresses: readonly GuestAddress[],
  options: { readonly patience: KnockPatience; readonly signal?: AbortSignal | undefined },
): Promise<readonly GuestKnock[]> {
  const { patience, signal } = options;
  const enough = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const knocks = await Promise.all(
    sshEndpoints(instance, addresses).map(async (endpoint): Promise<GuestKnock> => {
      const own = addresses.some(({ address }) => address === endpoint.address);
      const answer = await knock(endpoint, {
        connectTimeoutMs: patience.connectTimeoutMs,
        greetingTimeoutMs: own ? patience.greetingTimeoutMs : patience.forwardedGreetingTimeoutMs,
        signal: signal === undefined ? enough.signal : AbortSignal.any([signal, enough.signal]),
      });
      if (answer.answer === 'ssh') {
        timer ??= setTimeout(() => {
          enough.abort();
        }, othersMs);
      }
      return { endpoint, ...answer };
    }),
  );
  clearTimeout(timer);
  return knocks.toSorted((a, b) => order.indexOf(a.answer) - order.indexOf(b.answer));
}
