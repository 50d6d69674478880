import { readFile } from 'node:fs/promises';
import { readIso9660 } from '../../guest/seed/read-iso9660.js';
import { redactDocument, type ShownPart } from '../../guest/seed/redact.js';
import { fileExists, findFileStat } from '../../host/files.js';
import { LaunchError } from '../../host/launch-error.js';
import { fileSystemError } from '../../host/system-error.js';
import { getInstance } from '../find-instance.js';
import type { InstanceRecord } from '../instance-record.js';
import type { Host } from '../open-host.js';
import type { SeedKind } from './plan-seed.js';

export interface ShownSeed {
  readonly domainName: string;
  readonly kind: SeedKind;
  /** The disk, and its label. */
  readonly path: string;
  readonly label: string;
  readonly hostname: string;
  readonly documents: readonly ShownDocument[];
}

export interface ShownDocument {
  readonly path: string;
  readonly sizeBytes: number;
  /** One, or those of a multipart message. */
  readonly parts: readonly ShownPart[];
}

// A seed of ours has at most some MiB.
const maximumSeedBytes = 64 * 1024 ** 2;

/**
 * What a guest is told of itself, read from its disk, without what is private.
 *
 * @throws LaunchError INSTANCE_NOT_FOUND, INSTANCE_AMBIGUOUS, RECORD_INVALID, INSTANCE_STATE when it has no
 * seed, DISK_MISSING, FILE_SYSTEM
 */
export async function showSeed(host: Host, reference: string): Promise<ShownSeed> {
  const instance = await getInstance(host, reference);
  const { seed, domainName } = instance;
  const path = host.home.instance(domainName).seed;
  if (seed === null) {
    throw new LaunchError('INSTANCE_STATE', `${domainName} was launched without a seed`);
  }
  await checkSeed(host, instance);
  const { sizeBytes } = (await findFileStat(path)) ?? { sizeBytes: 0 };
  if (sizeBytes > maximumSeedBytes)
    throw new LaunchError('FILE_SYSTEM', `"${path}" is no seed: it is too large`);
  const image = await readFile(path).catch((error: unknown) => {
    throw fileSystemError('read the seed', path, error);
  });
  const { label, files } = readIso9660(image);
  const documents = files.map((file) => ({
    path: file.path,
    sizeBytes: file.content.length,
    parts: redactDocument(file.path, file.content.toString('utf8')),
  }));
  return { domainName, kind: seed.kind, path, label, hostname: seed.hostname, documents };
}

/** @throws LaunchError DISK_MISSING */
export async function checkSeed(host: Host, { seed, domainName }: InstanceRecord): Promise<void> {
  const path = host.home.instance(domainName).seed;
  if (seed === null || fileExists(path)) return;
  throw new LaunchError('DISK_MISSING', `the seed of ${domainName}, "${path}", is missing`, {
    hint: 'a guest that has booted once can do without it: take the disk out of its domain (virsh edit)',
    details: { path },
  });
}
