import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { gib, makeBase, mib } from './disks.js';
import { launchCommand, runCommand, type Surroundings } from './processes.js';

/**
 * Imports an image that nothing boots from: the firmware finds no boot loader and waits, so that guests
 * that were started take no processor time from what is measured next.
 */
export async function importIdleImage(
  name: string,
  directory: string,
  surroundings: Surroundings,
): Promise<void> {
  const raw = join(directory, `${name}.raw`);
  await makeBase(raw, 64 * mib, gib);
  await runCommand(
    launchCommand('image', 'import', raw, '--disk-format', 'raw', '--name', name),
    surroundings,
  );
  await rm(raw);
}

/** Deletes all instances of the home, and the domains whose names begin as theirs. */
export async function deleteAll(surroundings: Surroundings): Promise<void> {
  const listed = JSON.parse(
    await runCommand(launchCommand('list', '--format', 'json'), surroundings),
  ) as readonly {
    readonly domainName: string;
  }[];
  if (listed.length > 0) {
    await runCommand(launchCommand('delete', ...listed.map(({ domainName }) => domainName)), surroundings);
  }
}
