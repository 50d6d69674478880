import { join } from 'node:path';
import { statfs } from 'node:fs/promises';
import { readBlockRuns, measureSharedUse, type SharedUse } from '../../disk/shared-extents.js';
import { probeStorage } from '../../disk/probe-storage.js';
import { ensureDirectory, findFileStat, listDirectory } from '../../host/files.js';
import { asMaker } from '../../host/maker.js';
import { fileSystemError } from '../../host/system-error.js';
import type { Work } from '../../host/work.js';
import { listImages } from '../../image/image-store.js';
import { listBaseReports, type BaseReport } from './base-verbs.js';
import { listInstanceRecords } from '../instance-record.js';
import type { Host } from '../open-host.js';

export type StorageKind = 'image' | 'base' | 'overlay' | 'copy' | 'damaged';

/** One thing that takes space, with all its files. Sizes in bytes. */
export interface StorageItem {
  readonly kind: StorageKind;
  /** The image's or instance's name, or the base's. */
  readonly name: string;
  readonly id: string;
  /** What a guest sees; undefined when nobody knows. */
  readonly virtualSizeBytes: number | undefined;
  readonly allocatedBytes: number;
  /** What removing this one alone gives back; undefined where blocks are shared and nobody can tell. */
  readonly givesBackBytes: number | undefined;
  /** What has to go before. */
  readonly usedBy: readonly string[];
}

export interface StorageReport {
  readonly directory: string;
  readonly fileSystem: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
  readonly items: readonly StorageItem[];
  /** Each block once; undefined where blocks are shared and nobody can tell. */
  readonly usedBytes: number | undefined;
  /** What is counted for several items, and there once. */
  readonly sharedBytes: number | undefined;
}

type Measured = Omit<StorageItem, 'allocatedBytes' | 'givesBackBytes'> & {
  readonly paths: readonly string[];
};

/** Where the space of a home is, and what deleting each thing would give back. */
export async function measureStorage(host: Host, work: Work = {}): Promise<StorageReport> {
  const { home } = host;
  const bases = await listBaseReports(host, work);
  await ensureDirectory(home.bases);
  const measured = [
    ...(await findImages(host, bases)),
    ...bases.map(measureBase),
    ...(await findInstances(host)),
  ];
  const facts = await asMaker(home, (maker) => probeStorage(home.bases, maker));
  const sizes = new Map<string, number>();
  for (const path of measured.flatMap(({ paths }) => paths)) {
    sizes.set(path, (await findFileStat(path))?.allocatedBytes ?? 0);
  }
  const shared = facts.reflink ? await readShared([...sizes.keys()], host, work) : undefined;
  const items = measured.map(({ paths, ...item }): StorageItem => {
    const sum = (of: ReadonlyMap<string, number>) =>
      paths.reduce((total, path) => total + (of.get(path) ?? 0), 0);
    return {
      ...item,
      allocatedBytes: sum(sizes),
      givesBackBytes: !facts.reflink
        ? sum(sizes)
        : shared === undefined
          ? undefined
          : sum(shared.exclusiveBytes),
    };
  });
  const countedBytes = items.reduce((total, { allocatedBytes }) => total + allocatedBytes, 0);
  const usedBytes = facts.reflink ? shared?.togetherBytes : countedBytes;
  const { totalBytes, freeBytes } = await readFileSystem(home.root);
  return {
    directory: home.root,
    fileSystem: facts.fileSystem,
    totalBytes,
    freeBytes,
    items,
    usedBytes,
    sharedBytes: usedBytes === undefined ? undefined : Math.max(0, countedBytes - usedBytes),
  };
}

async function readFileSystem(
  directory: string,
): Promise<{ readonly totalBytes: number; readonly freeBytes: number }> {
  try {
    const found = await statfs(directory);
    return { totalBytes: found.blocks * found.bsize, freeBytes: found.bavail * found.bsize };
  } catch (error) {
    throw fileSystemError('look at the file system of', directory, error);
  }
}

async function readShared(paths: readonly string[], host: Host, work: Work): Promise<SharedUse | undefined> {
  const runs = await readBlockRuns(paths, host.runner, work);
  return runs === undefined ? undefined : measureSharedUse(runs);
}

async function findImages(host: Host, bases: readonly BaseReport[]): Promise<readonly Measured[]> {
  const { images } = await listImages(host.home);
  return await Promise.all(
    images.map(async (image) => ({
      kind: 'image' as const,
      name: image.name,
      id: image.id,
      virtualSizeBytes: image.virtualSizeBytes,
      usedBy: [
        ...new Set(bases.filter((base) => base.image?.id === image.id).flatMap(({ usedBy }) => usedBy)),
      ].sort(),
      paths: await filesOf(host.home.image(image.id).directory),
    })),
  );
}

function measureBase(base: BaseReport): Measured {
  return {
    kind: 'base',
    name: base.image?.name ?? 'its image is gone',
    id: base.name,
    virtualSizeBytes: base.virtualSizeBytes,
    usedBy: base.usedBy,
    paths: [base.path],
  };
}

async function findInstances(host: Host): Promise<readonly Measured[]> {
  const { records, damaged } = await listInstanceRecords(host.home);
  return [
    ...(await Promise.all(
      records.map(async (record) => ({
        kind: record.disk.base === null ? ('copy' as const) : ('overlay' as const),
        name: record.displayName,
        id: record.domainName,
        virtualSizeBytes: record.disk.virtualSizeBytes,
        usedBy: [],
        paths: await filesOf(host.home.instance(record.domainName).directory),
      })),
    )),
    ...(await Promise.all(
      damaged.map(async ({ domainName }) => ({
        kind: 'damaged' as const,
        name: domainName,
        id: domainName,
        virtualSizeBytes: undefined,
        usedBy: [],
        paths: await filesOf(host.home.instance(domainName).directory),
      })),
    )),
  ];
}

async function filesOf(directory: string): Promise<readonly string[]> {
  return (await listDirectory(directory)).map((name) => join(directory, name));
}
