import { parseDomain } from '../../domain/parse-domain.js';
import { LaunchError } from '../../host/launch-error.js';
import { getInstance } from '../find-instance.js';
import { checkGuestRuns } from './guest-state.js';
import type { Host } from '../open-host.js';

export interface GuestGraphics {
  readonly domainName: string;
  /** `vnc` or `spice`. */
  readonly type: string;
  /** Where a viewer on this host connects. */
  readonly address: string;
  readonly port: number;
  /** `vnc://127.0.0.1:5900` */
  readonly uri: string;
}

/**
 * Where a guest's screen is seen.
 *
 * @throws LaunchError INSTANCE_STATE when it is off, GRAPHICS_NOT_FOUND when it has no screen to be seen
 */
export async function findGraphics(host: Host, reference: string): Promise<GuestGraphics> {
  const instance = await getInstance(host, reference);
  const { domainName } = instance;
  await checkGuestRuns(host, instance, { action: 'see the screen of', pausedToo: true });
  const { graphics } = parseDomain(await host.hypervisor.readDomainXml(instance.uuid));
  const found = graphics.find(({ type, port }) => (type === 'vnc' || type === 'spice') && port !== undefined);
  if (found?.port === undefined) {
    const types = graphics.map(({ type }) => type).join(', ');
    throw new LaunchError(
      'GRAPHICS_NOT_FOUND',
      types === ''
        ? `${domainName} has no screen: its template has no graphics`
        : `the screen of ${domainName} is not to be reached by address: it is of type ${types}`,
      {
        hint: `its serial console:  launch console ${domainName}    (or: virt-viewer ${domainName})`,
        details: { domainName },
      },
    );
  }
  const address = connectable(found.listenAddress);
  const inUri = address.includes(':') ? `[${address}]` : address;
  return {
    ...{ domainName, type: found.type, address, port: found.port },
    uri: `${found.type}://${inUri}:${found.port}`,
  };
}

/** A screen that is shown on all addresses is seen on this host's own. */
function connectable(listenAddress: string | undefined): string {
  if (listenAddress === undefined || listenAddress === '0.0.0.0') return '127.0.0.1';
  return listenAddress === '::' ? '::1' : listenAddress;
}
