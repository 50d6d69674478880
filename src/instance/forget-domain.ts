import type { DomainState, Hypervisor } from '../libvirt/hypervisor.js';

/** Whether QEMU runs for a domain in this state. */
export function isActive(state: DomainState): boolean {
  return state !== 'shut off' && state !== 'crashed';
}

/** Stops a domain and makes libvirt forget it; one that is not there is fine. */
export async function forgetDomain(hypervisor: Hypervisor, uuid: string): Promise<void> {
  const domain = await hypervisor.findDomain(uuid);
  if (domain === undefined) return;
  if (isActive(domain.state)) await ignoringAbsence(hypervisor, uuid, () => hypervisor.destroyDomain(uuid));
  await ignoringAbsence(hypervisor, uuid, () => hypervisor.undefineDomain(uuid));
}

/** The guest may power itself off, or another command undefine the domain, between our look and our call. */
async function ignoringAbsence(
  hypervisor: Hypervisor,
  uuid: string,
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run();
  } catch (error) {
    const domain = await hypervisor.findDomain(uuid);
    if (domain !== undefined && isActive(domain.state)) throw error;
  }
}
