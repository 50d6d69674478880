import { createFlavor, removeFlavor, type FlavorListing } from '../flavor/flavor-store.js';
import type { Flavor } from '../flavor/flavor.js';
import { asMaker } from '../host/maker.js';
import type { Host } from './open-host.js';

/** See createFlavor in flavor/flavor-store.ts. */
export async function addFlavor(host: Host, flavor: Flavor): Promise<FlavorListing> {
  return await asMaker(host.home, (maker) => createFlavor(host.home, flavor, maker));
}

/** See removeFlavor in flavor/flavor-store.ts. */
export async function dropFlavor(host: Host, name: string): Promise<void> {
  await asMaker(host.home, (maker) => removeFlavor(host.home, name, maker));
}
