import type { Evidence } from './evidence.js';

/** So many processes for each processor keep a guest from running. */
const overloaded = 3;

/** Why all of a guest takes long, as far as the host knows; undefined when nothing is known. */
export function whySlow({ virtType, hostLoad }: Pick<Evidence, 'virtType' | 'hostLoad'>): string | undefined {
  const reasons = [
    ...(virtType === 'qemu' ? ['it is emulated (virt type qemu), many times slower than with kvm'] : []),
    ...(hostLoad !== undefined && hostLoad >= overloaded
      ? [`this host is overloaded (${hostLoad.toFixed(0)} processes for each processor)`]
      : []),
  ];
  return reasons.length === 0 ? undefined : reasons.join(', and ');
}
