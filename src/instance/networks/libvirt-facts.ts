import type { NetworkSummary } from '../../libvirt/hypervisor.js';
import type { Host } from '../open-host.js';
import { readMacAddresses } from './interface-macs.js';
import type { NetworkRequest } from './plan-interfaces.js';

/** What interfaces are checked against. */
export interface LibvirtFacts {
  readonly networks: readonly NetworkSummary[];
  /** Who has each MAC address: a domain, or an instance of ours. */
  readonly macOwners: ReadonlyMap<string, string>;
}

/** An image may be fetched meanwhile, and a network stopped. */
const freshForMs = 2000;

/**
 * Begins to ask libvirt, which takes longer than all that a launch reads beside it.
 *
 * @returns the answer, asked for anew when it is not fresh any more. @throws LaunchError HYPERVISOR_*
 */
export function askLibvirt(host: Host, requests: readonly NetworkRequest[]): () => Promise<LibvirtFacts> {
  const needsNetworks = requests.some(({ kind }) => kind === 'network');
  const ask = async (): Promise<LibvirtFacts> => {
    const [networks, macOwners] = await Promise.all([
      needsNetworks ? host.hypervisor.listNetworks() : [],
      requests.length === 0 ? new Map<string, string>() : readMacAddresses(host),
    ]);
    return { networks, macOwners };
  };
  const askedMs = performance.now();
  const asking = ask();
  // Whoever takes the answer sees the error; a launch that is refused before takes none.
  asking.catch(() => undefined);
  return async () => (performance.now() - askedMs < freshForMs ? await asking : await ask());
}
