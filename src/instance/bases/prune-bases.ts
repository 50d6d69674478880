import { findLastUse } from '../../disk/base-record.js';
import {
  isRecent,
  planPrune,
  type PruneDecision,
  type PruneReason,
  type PruneRule,
} from '../../disk/plan-prune.js';
import { removeBase } from '../../disk/remove-base.js';
import { freeBytes } from '../../host/file-system.js';
import { ensureDirectory } from '../../host/files.js';
import { tryTakeLock, type Lock } from '../../host/lock.js';
import { asMaker, type Maker } from '../../host/maker.js';
import { checkInterrupted, runStep, type Work } from '../../host/work.js';
import { imageLockPath } from '../../image/image-store.js';
import { readFileUsers, realPathOf } from './base-users.js';
import { listBaseReports, type BaseReport } from './base-verbs.js';
import { clearOrphanRecords } from './prune-bases-orphans.js';
import type { Host } from '../open-host.js';

export interface PrunedBase extends BaseReport {
  /** true: it is gone, or with `dryRun` would go. */
  readonly removed: boolean;
  readonly reason: PruneReason;
}

export interface PruneReport {
  readonly dryRun: boolean;
  readonly bases: readonly PrunedBase[];
  readonly removedBytes: number;
  /** Of the file system with the bases, afterwards. */
  readonly freeBytes: number;
}

/**
 * Removes bases that nothing needs, and says for each why it stays or goes. A base that is in a chain of any
 * domain or record stays whatever its age; so does one whose image another command is at work with, since
 * a launch may be between finding the base and writing its record.
 *
 * @throws LaunchError HYPERVISOR_* when libvirt cannot tell who uses what
 */
export async function pruneBases(
  host: Host,
  rule: PruneRule & { readonly dryRun: boolean },
  work: Work = {},
): Promise<PruneReport> {
  const reports = await listBaseReports(host, work);
  await ensureDirectory(host.home.bases);
  const decisions = planPrune(
    reports.map((base) => ({
      name: base.name,
      givesBackBytes: base.allocatedBytes,
      usedBy: base.usedBy,
      lastUsedMs: Date.parse(base.lastUsedAt),
    })),
    rule,
    { nowMs: host.now().getTime(), freeBytes: await freeBytes(host.home.bases) },
  );
  const carriedOut = rule.dryRun
    ? decisions
    : await asMaker(host.home, (maker) => carryOut(host, decisions, reports, rule, maker, work));
  const bases = carriedOut.flatMap(({ name, removes, reason }) => {
    const base = reports.find((report) => report.name === name);
    return base === undefined ? [] : [{ ...base, removed: removes, reason }];
  });
  return {
    dryRun: rule.dryRun,
    bases,
    removedBytes: bases
      .filter(({ removed }) => removed)
      .reduce((sum, { allocatedBytes }) => sum + allocatedBytes, 0),
    freeBytes: await freeBytes(host.home.bases),
  };
}

async function carryOut(
  host: Host,
  decisions: readonly PruneDecision[],
  reports: readonly BaseReport[],
  rule: PruneRule,
  maker: Maker,
  work: Work,
): Promise<readonly PruneDecision[]> {
  const done: PruneDecision[] = [];
  for (const decision of decisions) {
    checkInterrupted(work);
    const base = reports.find(({ name }) => name === decision.name);
    if (!decision.removes || base === undefined) {
      done.push(decision);
      continue;
    }
    const reason = await removeUnlessNeeded(host, base, rule, maker, work);
    done.push({ name: decision.name, removes: reason === 'unused', reason });
  }
  await clearOrphanRecords(host);
  return done;
}

/** Looks once more where nobody can come between, and removes it. */
async function removeUnlessNeeded(
  host: Host,
  base: BaseReport,
  rule: PruneRule,
  maker: Maker,
  work: Work,
): Promise<PruneReason> {
  const { home } = host;
  // Without its image nobody can ask for it, so nobody has to be kept out.
  let lock: Lock | undefined;
  if (base.image !== undefined) {
    lock = await tryTakeLock(imageLockPath(home, base.image.id));
    if (lock === undefined) return 'busy';
  }
  try {
    const users = (await readFileUsers(host)).get(await realPathOf(base.path)) ?? [];
    if (users.length > 0) return 'used';
    const lastUse = await findLastUse(home, base.name);
    if (lastUse !== undefined && isRecent(lastUse.getTime(), rule, host.now().getTime())) return 'recent';
    if (rule.keepFreeBytes !== undefined && (await freeBytes(home.bases)) >= rule.keepFreeBytes) {
      return 'enough-free';
    }
    await runStep(
      work,
      'pruned',
      `removing ${base.name}`,
      () => removeBase(home, base.name, maker),
      () => base.name,
    );
    return 'unused';
  } finally {
    await lock?.release();
  }
}
