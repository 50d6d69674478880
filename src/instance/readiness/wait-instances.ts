import { LaunchError } from '../../host/launch-error.js';
import type { Work } from '../../host/work.js';
import { clearLeftovers } from '../clear-leftovers.js';
import { getInstance } from '../find-instance.js';
import { checkGuestRuns } from '../login/guest-state.js';
import type { InstanceRecord } from '../instance-record.js';
import { checkWait } from './launch-wait.js';
import type { Host } from '../open-host.js';
import type { WaitFor } from '../plan-launch.js';
import type { ReadyGuest } from './ready-guest.js';
import { waitReady } from './wait-ready.js';

export type WaitedInstance =
  | { readonly instance: InstanceRecord; readonly ready: ReadyGuest }
  | { readonly instance: InstanceRecord; readonly error: LaunchError };

/**
 * Waits for guests that run already, all at once; what becomes of one does not touch the others. All are
 * left as they are, also when the wait is interrupted.
 *
 * @throws LaunchError INSTANCE_NOT_FOUND, INSTANCE_STATE, DOMAIN_NOT_FOUND, ARGUMENT_INVALID before
 * anything is waited for; INTERRUPTED
 */
export async function waitForInstances(
  host: Host,
  references: readonly string[],
  waitFor: WaitFor,
  options: { readonly timeoutMs: number; readonly work?: Work },
): Promise<readonly WaitedInstance[]> {
  const { work = {}, timeoutMs } = options;
  await clearLeftovers(host, work);
  const instances = await Promise.all(references.map((reference) => getInstance(host, reference)));
  for (const instance of instances) {
    checkWait(waitFor, instance);
    await checkGuestRuns(host, instance, { action: 'wait for' });
  }
  return await Promise.all(
    instances.map(async (instance): Promise<WaitedInstance> => {
      const step = instances.length > 1 ? instance.displayName : waitFor.kind;
      try {
        return { instance, ready: await waitReady(host, instance, waitFor, { timeoutMs, work, step }) };
      } catch (error) {
        if (!(error instanceof LaunchError) || error.code === 'INTERRUPTED') throw error;
        return { instance, error };
      }
    }),
  );
}
