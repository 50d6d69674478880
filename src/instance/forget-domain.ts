import type { DomainState, Hypervisor } from '../libvirt/hypervisor.js';

/** Whether QEMU runs for a domain in this state. */
export function isActive(state: DomainState): boolean {
  return state !== 'shut off' && state !== 'crashed';
}

/**
 * Stops a domain and makes libvirt forget it; one that is not there is fine. The guest may power itself
 * off, or another command undefine the domain, between our look and our call: what counts is the end.
 */
export async function forgetDomain(hypervisor: Hypervisor, uuid: string): Promise<void> {
  const domain = await hypervisor.findDomain(uuid);
  if (domain === undefined) return;
  if (isActive(domain.state)) {
    await hypervisor.destroyDomain(uuid).catch(async (error: unknown) => {
      const left = await hypervisor.findDomain(uuid);
      if (left !== undefined && isActive(left.state)) throw error;
    });
  }
  await hypervisor.undefineDomain(uuid).catch(async (error: unknown) => {
    if ((await hypervisor.findDomain(uuid)) !== undefined) throw error;
  });
}
