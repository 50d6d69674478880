import { LaunchError } from '../../host/launch-error.js';
import type { DomainState } from '../../libvirt/hypervisor.js';
import type { InstanceRecord } from '../instance-record.js';
import type { Host } from '../open-host.js';

/**
 * Makes sure that a guest can answer.
 *
 * @param action what was to be done with it: `log in to`
 * @param options.pausedToo a paused guest will do
 * @throws LaunchError INSTANCE_STATE, DOMAIN_NOT_FOUND, with the command that helps
 */
export async function checkGuestRuns(
  host: Host,
  instance: InstanceRecord,
  options: { readonly action: string; readonly pausedToo?: boolean },
): Promise<DomainState> {
  const { domainName } = instance;
  const message = `cannot ${options.action} ${domainName}`;
  const domain = await host.hypervisor.findDomain(instance.uuid);
  if (domain === undefined && instance.maker !== null) {
    throw new LaunchError('BUSY', `${message}: it is still being launched`, {
      hint: 'try again in a moment:  launch list',
    });
  }
  switch (domain?.state) {
    case 'running':
    case 'idle':
      return domain.state;
    case 'paused':
    case 'pmsuspended':
      if (options.pausedToo === true) return domain.state;
      throw guestState(message, domain.state, `launch resume ${domainName}`);
    case undefined:
      throw new LaunchError('DOMAIN_NOT_FOUND', `${message}: libvirt has no domain for it any more`, {
        hint: `define and start it again:  launch start ${domainName}    or:  launch delete ${domainName}`,
        details: { domainName },
      });
    case 'in shutdown':
      throw guestState(message, domain.state, `when it is off:  launch start ${domainName}`);
    case 'shut off':
    case 'crashed':
    case 'no state':
      throw guestState(message, domain.state, `launch start ${domainName}`);
  }
}

function guestState(message: string, state: DomainState, hint: string): LaunchError {
  return new LaunchError('INSTANCE_STATE', `${message}: it is ${state}`, {
    hint,
    details: { domainState: state },
  });
}
