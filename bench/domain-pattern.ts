import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand, type Surroundings } from './processes.js';

/** A domain that others are made after. */
export interface DomainPattern {
  /** As libvirt keeps it. */
  readonly xml: string;
  readonly disk: string;
}

/**
 * Writes the pattern's XML for another domain, with its own disk and console log in `place`.
 *
 * @returns the file
 */
export async function defineLike({ xml, disk }: DomainPattern, name: string, place: string): Promise<string> {
  const path = join(place, 'domain.xml');
  await writeFile(
    path,
    xml
      .replaceAll(disk, join(place, 'disk'))
      .replaceAll(join(disk, '..', 'console.log'), join(place, 'console.log'))
      .replace(/<name>[^<]*<\/name>/, `<name>${name}</name>`)
      // One for the whole document: libvirt wants the same in its SMBIOS.
      .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, randomUUID())
      .replaceAll(/\s*<mac address=[^>]*>/g, ''),
  );
  return path;
}

/** Stops and undefines a domain made so, and removes its `place`. */
export async function forgetLike(name: string, place: string, surroundings: Surroundings): Promise<void> {
  await runCommand(['virsh', '-q', 'destroy', name], surroundings);
  await runCommand(['virsh', '-q', 'undefine', name], surroundings);
  await rm(place, { recursive: true });
}
