import * as v from 'valibot';
import type { BaseFormat } from '../../disk/base-format.js';
import {
  baseFormatOf,
  findBase,
  findLastUse,
  imageDigestName,
  listBaseNames,
  type BaseRecord,
} from '../../disk/base-record.js';
import { verifyBase } from '../../disk/verify-base.js';
import { findFileStat } from '../../host/files.js';
import { LaunchError } from '../../host/launch-error.js';
import { takeLock } from '../../host/lock.js';
import { asMaker, type Maker } from '../../host/maker.js';
import { formatBytes } from '../../host/units.js';
import { runStep, type Work } from '../../host/work.js';
import type { ImageRecord } from '../../image/image-record.js';
import { imageLockPath, listImages } from '../../image/image-store.js';
import { readFileUsers, realPathOf } from './base-users.js';
import { clearLeftovers } from '../clear-leftovers.js';
import type { Host } from '../open-host.js';

/** A base in place, and who is on it. Sizes in bytes, times in ISO 8601. */
export interface BaseReport {
  readonly name: string;
  readonly path: string;
  /** undefined when the image was removed behind our back. */
  readonly image: { readonly id: string; readonly name: string } | undefined;
  readonly format: BaseFormat;
  readonly virtualSizeBytes: number;
  readonly allocatedBytes: number;
  /** Domains and instances with it in a chain, sorted. */
  readonly usedBy: readonly string[];
  readonly lastUsedAt: string;
  /** undefined while nobody has read it yet. */
  readonly verifiedAt: string | undefined;
  readonly digest: string | undefined;
  /** Why its record cannot be read. */
  readonly problem: string | undefined;
}

/** All bases, by the names of their images. */
export async function listBaseReports(host: Host, work: Work = {}): Promise<readonly BaseReport[]> {
  await clearLeftovers(host, work);
  const { images } = await listImages(host.home);
  const users = await readFileUsers(host);
  const reports: BaseReport[] = [];
  for (const name of await listBaseNames(host.home)) {
    const report = await reportBase(host, name, images, users);
    if (report !== undefined) reports.push(report);
  }
  return reports.sort(
    (a, b) => (a.image?.name ?? '').localeCompare(b.image?.name ?? '') || a.name.localeCompare(b.name),
  );
}

async function reportBase(
  host: Host,
  name: string,
  images: readonly ImageRecord[],
  users: ReadonlyMap<string, readonly string[]>,
): Promise<BaseReport | undefined> {
  const { file } = host.home.base(name);
  const found = await findFileStat(file);
  if (found === undefined) return undefined;
  const { base, problem } = await readBase(host, name);
  const image = images.find(({ id }) => name.startsWith(imageDigestName(id)));
  // Without a record, the file's own time is the last that is known.
  const lastUsed = (await findLastUse(host.home, name)) ?? new Date(Number(found.modifiedNs / 1_000_000n));
  return {
    name,
    path: file,
    image: image === undefined ? undefined : { id: image.id, name: image.name },
    format: base === undefined ? (name.endsWith('.qcow2') ? 'qcow2' : 'raw') : baseFormatOf(base),
    virtualSizeBytes: base?.virtualSizeBytes ?? found.sizeBytes,
    allocatedBytes: found.allocatedBytes,
    usedBy: users.get(await realPathOf(file)) ?? [],
    lastUsedAt: lastUsed.toISOString(),
    verifiedAt: base === undefined || base.digest === null ? undefined : base.verifiedAt,
    digest: base?.digest ?? undefined,
    problem,
  };
}

async function readBase(
  host: Host,
  name: string,
): Promise<{ readonly base: BaseRecord | undefined; readonly problem: string | undefined }> {
  try {
    const base = await findBase(host.home, name);
    return { base, problem: base === undefined ? 'its record is missing' : undefined };
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    return { base: undefined, problem: error.message };
  }
}

/** What reading a base found; `problem` says what is wrong with it. */
export interface BaseFinding {
  readonly base: BaseReport;
  readonly sound: boolean;
  readonly problem: string | undefined;
  /** Digests where they differ. */
  readonly expectedDigest: string | undefined;
  readonly foundDigest: string | undefined;
  /** Which MiB differ, the first being 0; undefined where that is not known. */
  readonly changedMib: readonly number[] | undefined;
}

/**
 * Reads bases again, holes left out, and compares each with its digest; one that is changed does not keep
 * the others from being read.
 *
 * @param references names of bases or their beginnings, or names or ids of images; none means all
 * @throws LaunchError BASE_NOT_FOUND
 */
export async function verifyBases(
  host: Host,
  references: readonly string[],
  work: Work = {},
): Promise<readonly BaseFinding[]> {
  const bases = selectBases(await listBaseReports(host, work), references);
  return await asMaker(host.home, async (maker) => {
    const findings: BaseFinding[] = [];
    for (const base of bases) findings.push(await verifyOne(host, base, maker, work));
    return findings;
  });
}

async function verifyOne(host: Host, report: BaseReport, maker: Maker, work: Work): Promise<BaseFinding> {
  const finding = (problem?: string, details: Readonly<Record<string, unknown>> = {}): BaseFinding => ({
    base: report,
    sound: problem === undefined,
    problem,
    expectedDigest: textOf(details['expectedDigest']),
    foundDigest: textOf(details['foundDigest']),
    changedMib: v.is(v.array(v.number()), details['changedMib']) ? details['changedMib'] : undefined,
  });
  if (report.problem !== undefined) return finding(report.problem);
  const { image } = report;
  // So that it is not removed while it is read.
  const lock =
    image === undefined
      ? undefined
      : await takeLock(imageLockPath(host.home, image.id), { shared: true, work });
  try {
    const base = await findBase(host.home, report.name);
    if (base === undefined) return finding('it was removed meanwhile');
    await runStep(
      work,
      'verify',
      `reading ${report.image?.name ?? report.name}`,
      (progress) =>
        verifyBase(host.home, base, host.qemuImg, {
          maker,
          now: host.now(),
          work,
          onBytes: (done, total) => {
            progress(`reading ${report.image?.name ?? report.name}`, done, total);
          },
        }),
      () => `${report.name.slice(0, 8)}…${report.name.slice(40)}, ${formatBytes(report.allocatedBytes)}`,
    );
    return finding();
  } catch (error) {
    if (!(error instanceof LaunchError) || error.code === 'INTERRUPTED') throw error;
    return finding(error.message, error.details);
  } finally {
    await lock?.release();
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** @throws LaunchError BASE_NOT_FOUND */
function selectBases(bases: readonly BaseReport[], references: readonly string[]): readonly BaseReport[] {
  if (references.length === 0) return bases;
  const selected = new Set<BaseReport>();
  for (const reference of references) {
    const found = bases.filter(
      ({ name, image }) =>
        image?.name === reference ||
        image?.id === reference.toLowerCase() ||
        (reference.length >= 4 && name.startsWith(reference)),
    );
    if (found.length === 0) {
      throw new LaunchError('BASE_NOT_FOUND', `there is no base ${JSON.stringify(reference)}`, {
        hint: 'a base is named by its image, or by the start of its own name:  launch base list',
      });
    }
    for (const base of found) selected.add(base);
  }
  return [...selected];
}
