import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import * as v from 'valibot';
import { LaunchError } from '../../host/launch-error.js';
import { readRecord } from '../../host/record.js';
import { fileSystemError } from '../../host/system-error.js';
import type { TrustedKeys } from '../trust/verification.js';
import { catalogueSchema, type CatalogueFile, type EntryData, type KeyData } from './catalogue-schema.js';

export const architectures = ['amd64', 'arm64'] as const;
export type Architecture = (typeof architectures)[number];

export interface CatalogueEntry extends Omit<EntryData, 'keys'> {
  readonly name: string;
  /** `user`: from the home's own catalogue, which goes before ours. */
  readonly origin: 'launch' | 'user';
  readonly keys: readonly KeyData[];
  /** What paths of keys are relative to. */
  readonly directory: string | undefined;
}

/**
 * Our catalogue, extended and overridden name by name by the user's own file.
 *
 * @throws LaunchError RECORD_INVALID
 */
export async function readCatalogue(userFile: string): Promise<readonly CatalogueEntry[]> {
  const { default: ours } = await import('./catalogue.json', { with: { type: 'json' } });
  const builtIn = v.parse(catalogueSchema, ours);
  const own = readRecord(userFile, catalogueSchema);
  const keys = { ...builtIn.keys, ...own?.keys };
  const entries = new Map([
    ...entriesOf(builtIn, keys, 'launch', undefined, userFile),
    ...(own === undefined ? [] : entriesOf(own, keys, 'user', dirname(userFile), userFile)),
  ]);
  return [...entries.values()].sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
}

function entriesOf(
  file: CatalogueFile,
  keys: Readonly<Record<string, KeyData>>,
  origin: CatalogueEntry['origin'],
  directory: string | undefined,
  path: string,
): readonly (readonly [string, CatalogueEntry])[] {
  return Object.entries(file.images).map(([name, entry]) => {
    const problem = (text: string) =>
      new LaunchError('RECORD_INVALID', `the catalogue "${path}" is damaged at "${name}": ${text}`);
    const found = (entry.keys ?? []).map((key) => {
      const data = keys[key];
      if (data === undefined) throw problem(`there is no key ${JSON.stringify(key)}`);
      if (data.key === undefined && data.file === undefined)
        throw problem(`its key has neither key nor file`);
      return data;
    });
    if ((entry.signature === undefined) !== (found.length === 0)) {
      throw problem('a signature needs keys, and keys a signature');
    }
    return [name, { ...entry, name, origin, directory, keys: found }];
  });
}

/** Where an entry's files are, for one architecture. */
export interface CatalogueFiles {
  readonly url: string;
  readonly fileName: string;
  readonly checksums: string;
  readonly signature: string | undefined;
}

/** @throws LaunchError IMAGE_NOT_FOUND when there is none for the architecture */
export function filesOf(
  entry: CatalogueEntry,
  architecture: Architecture,
): readonly [CatalogueFiles, ...CatalogueFiles[]] {
  const word = entry.architectures[architecture];
  if (word === undefined) {
    throw new LaunchError(
      'IMAGE_NOT_FOUND',
      `the catalogue has no image "${entry.name}" for ${architecture}`,
    );
  }
  const fill = (text: string) => text.replaceAll('{arch}', word);
  const [first, ...others] = entry.places.map((place): CatalogueFiles => {
    const at = (file: string) => `${fill(place)}${encodeURIComponent(fill(file))}`;
    return {
      url: at(entry.file),
      fileName: fill(entry.file),
      checksums: at(entry.checksums),
      signature:
        entry.signature === undefined || entry.signature === 'inline' ? undefined : at(entry.signature),
    };
  });
  if (first === undefined) throw new Error(`the entry "${entry.name}" has no place`);
  return [first, ...others];
}

/** The keys that may sign an entry's checksums; undefined when nobody signs them. */
export async function keysOf(entry: CatalogueEntry): Promise<TrustedKeys | undefined> {
  if (entry.keys.length === 0) return undefined;
  const bytes = await Promise.all(
    entry.keys.map(async ({ key, file }) => {
      if (key !== undefined) return Buffer.from(key, 'base64');
      const path = resolve(entry.directory ?? '/', file ?? '');
      return await readFile(path).catch((error: unknown) => {
        throw fileSystemError('read the key', path, error);
      });
    }),
  );
  const { binaryKeyring } = await import('../trust/keyring.js');
  return {
    shown: `the catalogue's keys of ${entry.name}`,
    bytes: Buffer.concat(bytes.map((key) => binaryKeyring(key, entry.name))),
    fingerprints: entry.keys.map(({ fingerprint }) => fingerprint),
  };
}

/** This machine's; undefined for one that the catalogue has no word for. */
export function hostArchitecture(arch: string): Architecture | undefined {
  return arch === 'x64' ? 'amd64' : arch === 'arm64' ? 'arm64' : undefined;
}
