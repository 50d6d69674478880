import { LaunchError } from '../../host/launch-error.js';
import type { Work } from '../../host/work.js';
import type { ImageRecord } from '../../image/image-record.js';
import type { InstanceRecord } from '../instance-record.js';
import type { Host } from '../open-host.js';
import type { LaunchPlan, LaunchRequest, WaitFor } from '../plan-launch.js';
import type { ReadyGuest } from './ready-guest.js';
import { waitReady } from './wait-ready.js';

const defaultTimeoutMs = 5 * 60_000;

/** What a launch waits for when nothing is asked for: ssh where the image is known to have it. */
export function defaultWait(image: ImageRecord, plan: Pick<LaunchPlan, 'interfaces'>): WaitFor {
  const known =
    image.catalogue !== undefined ||
    image.downloaded?.archive === 'vagrant-box' ||
    image.properties['os_admin_user'] !== undefined;
  return { kind: known && plan.interfaces.length > 0 ? 'ssh' : 'running' };
}

/**
 * Refuses what can never come.
 *
 * @throws LaunchError ARGUMENT_INVALID
 */
export function checkWait(wait: WaitFor, plan: Pick<LaunchPlan, 'interfaces'>): void {
  if ((wait.kind !== 'address' && wait.kind !== 'ssh') || plan.interfaces.length > 0) return;
  throw new LaunchError('ARGUMENT_INVALID', `cannot wait for ${wait.kind}: the instance has no network`, {
    hint: 'leave --network none out, or wait for its console:  --wait console=REGEX',
  });
}

/**
 * Waits for an instance that was just launched. What is left to do about a wait that failed is told with it;
 * the launch itself is undone by the caller, when it was interrupted or asked to (`rollback`).
 */
export async function waitForLaunched(
  host: Host,
  instance: InstanceRecord,
  wait: WaitFor,
  options: { readonly request: Pick<LaunchRequest, 'timeoutMs' | 'rollback'>; readonly work: Work },
): Promise<ReadyGuest> {
  const { request, work } = options;
  const timeoutMs = request.timeoutMs ?? defaultTimeoutMs;
  try {
    return await waitReady(host, instance, wait, { timeoutMs, work, fresh: true });
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    if (error.code === 'INTERRUPTED') {
      work.onEvent?.({
        type: 'notice',
        message: `interrupted: undoing the launch of ${instance.domainName}; to keep a guest, launch with --wait none, then:  launch wait NAME`,
      });
      throw error;
    }
    throw withNextSteps(error, instance, request.rollback === true);
  }
}

function withNextSteps(error: LaunchError, { domainName }: InstanceRecord, undone: boolean): LaunchError {
  const next = undone
    ? 'the launch was undone (--rollback)'
    : `it is left ${error.code === 'INSTANCE_STATE' ? 'as it is' : 'running'}:  launch console ${domainName}    remove it:  launch delete ${domainName}`;
  return new LaunchError(error.code, error.message, {
    hint: [...(error.hint === undefined ? [] : [error.hint]), next].join('\n'),
    cause: error.cause,
    details: { ...error.details, undone },
  });
}
