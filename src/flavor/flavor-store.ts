import * as v from 'valibot';
import { writeFileAtomic } from '../host/files.js';
import { LaunchError } from '../host/launch-error.js';
import { takeLock } from '../host/lock.js';
import type { Maker } from '../host/maker.js';
import { checkName } from '../host/names.js';
import type { HomePaths } from '../host/paths.js';
import { readRecord, renderRecord } from '../host/record.js';
import { checkFlavor, flavorSchema, presetFlavors, type Flavor } from './flavor.js';

const flavorFileSchema = v.strictObject({ flavors: v.array(flavorSchema) });

export interface FlavorListing extends Flavor {
  /** Presets are always there; the user's own are kept in the home. */
  readonly origin: 'preset' | 'own';
}

export async function listFlavors(home: HomePaths): Promise<readonly FlavorListing[]> {
  const own = await readOwnFlavors(home);
  return [
    ...presetFlavors.map((flavor) => ({ ...flavor, origin: 'preset' as const })),
    ...own.map((flavor) => ({ ...flavor, origin: 'own' as const })),
  ];
}

/** @throws LaunchError FLAVOR_NOT_FOUND, with the names that exist */
export async function getFlavor(home: HomePaths, name: string): Promise<FlavorListing> {
  const flavors = await listFlavors(home);
  const found = flavors.find((flavor) => flavor.name === name);
  if (found !== undefined) return found;
  throw new LaunchError('FLAVOR_NOT_FOUND', `there is no flavor ${JSON.stringify(name)}`, {
    hint: `there are: ${flavors.map((flavor) => flavor.name).join(', ')}`,
    details: { flavors: flavors.map((flavor) => flavor.name) },
  });
}

/** @throws LaunchError FLAVOR_EXISTS, FLAVOR_INVALID, NAME_INVALID */
export async function createFlavor(home: HomePaths, flavor: Flavor, maker: Maker): Promise<FlavorListing> {
  checkName('flavor', flavor.name);
  const created = checkFlavor(flavor);
  await changeOwnFlavors(home, maker, (own) => {
    if ([...presetFlavors, ...own].some((existing) => existing.name === flavor.name)) {
      throw new LaunchError('FLAVOR_EXISTS', `there is already a flavor ${JSON.stringify(flavor.name)}`, {
        hint: presetFlavors.some((preset) => preset.name === flavor.name)
          ? 'it is a preset, and presets stay: choose another name'
          : `remove it first:  launch flavor remove ${flavor.name}`,
      });
    }
    return [...own, created];
  });
  return { ...created, origin: 'own' };
}

/** @throws LaunchError FLAVOR_NOT_FOUND, FLAVOR_INVALID for a preset */
export async function removeFlavor(home: HomePaths, name: string, maker: Maker): Promise<void> {
  const flavor = await getFlavor(home, name);
  if (flavor.origin === 'preset') {
    throw new LaunchError('FLAVOR_INVALID', `the flavor ${JSON.stringify(name)} is a preset and stays`);
  }
  await changeOwnFlavors(home, maker, (own) => own.filter((existing) => existing.name !== name));
}

async function readOwnFlavors(home: HomePaths): Promise<readonly Flavor[]> {
  return readRecord(home.flavorsFile, flavorFileSchema)?.flavors ?? [];
}

async function changeOwnFlavors(
  home: HomePaths,
  maker: Maker,
  change: (own: readonly Flavor[]) => readonly Flavor[],
): Promise<void> {
  const lock = await takeLock(home.lock('flavors'));
  try {
    const flavors = change(await readOwnFlavors(home));
    await writeFileAtomic(home.flavorsFile, renderRecord({ flavors }), maker);
  } finally {
    await lock.release({ remove: true });
  }
}
