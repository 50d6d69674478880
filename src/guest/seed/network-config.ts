import { writeYaml } from './write-yaml.js';

/** A network card as far as a seed is concerned, in the order in which the guest meets them. */
export interface SeedCard {
  readonly macAddress: string;
  /** What it is on, as a name that is the same for the same network. */
  readonly network: string;
}

/**
 * What the guest has to know when it has several cards: by itself, cloud-init asks for an address on the first
 * only. Undefined for one card or none.
 */
export function renderNetworkConfig(cards: readonly SeedCard[]): string | undefined {
  if (cards.length < 2) return undefined;
  const ethernets = cards.map(({ macAddress }, index) => {
    // Named here, so that what writes /etc/network/interfaces or ifcfg files finds the card by its name.
    const name = `eth${index}`;
    const optional = index === 0 ? {} : { optional: true };
    return [name, { match: { macaddress: macAddress }, 'set-name': name, dhcp4: true, ...optional }] as const;
  });
  return writeYaml({ version: 2, ethernets: Object.fromEntries(ethernets) });
}
