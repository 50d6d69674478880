import { LaunchError } from '../../host/launch-error.js';
import { checkInterrupted, type Work } from '../../host/work.js';
import type { Host } from '../open-host.js';
import { checkAccess } from './access-check.js';
import { checkClock } from './clock-check.js';
import { checkDhcp } from './dhcp-check.js';
import { defaultPlaces, Examination, type ExaminedPlaces } from './examination.js';
import {
  checkIds,
  statusOf,
  type CheckId,
  type Cure,
  type Finding,
  type FindingStatus,
  type Problem,
} from './finding.js';
import { checkFirewall } from './firewall-check.js';
import { checkKvm } from './kvm-check.js';
import { checkLeftovers } from './leftovers-check.js';
import { checkLibvirt } from './libvirt-check.js';
import { checkMemory } from './memory-check.js';
import { checkNetwork } from './network-check.js';
import { checkOwners } from './owners-check.js';
import { checkQemu } from './qemu-check.js';
import { checkSpace } from './space-check.js';
import { checkStorage } from './storage-check.js';

interface Check {
  readonly title: string;
  readonly run: (examination: Examination) => Promise<Finding>;
}

const checks: Readonly<Record<CheckId, Check>> = {
  libvirt: { title: 'libvirt and its daemons', run: checkLibvirt },
  qemu: { title: 'QEMU and qemu-img', run: checkQemu },
  kvm: { title: 'hardware virtualization', run: checkKvm },
  access: { title: 'what QEMU may reach', run: checkAccess },
  owners: { title: 'owners of disks', run: checkOwners },
  network: { title: 'the network of guests', run: checkNetwork },
  dhcp: { title: 'addresses for guests', run: checkDhcp },
  firewall: { title: 'the way out for guests', run: checkFirewall },
  space: { title: 'free space', run: checkSpace },
  storage: { title: 'the file system', run: checkStorage },
  clock: { title: 'the clock', run: checkClock },
  memory: { title: 'memory', run: checkMemory },
  leftovers: { title: 'leftovers', run: checkLeftovers },
};

/** No check is waited for longer; what it asks has limits of its own, which are shorter. */
const checkLimitMs = 30_000;

export interface ExamineRequest {
  /** All of them when it is not said. */
  readonly checks?: readonly CheckId[] | undefined;
  /** Applies the cures that are safe, then looks again. */
  readonly fix?: boolean | undefined;
  readonly places?: Partial<ExaminedPlaces> | undefined;
}

export interface CheckReport {
  readonly id: CheckId;
  readonly title: string;
  readonly status: FindingStatus;
  readonly found: string;
  readonly problems: readonly ReportedProblem[];
  readonly details: readonly string[];
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface ReportedProblem extends Omit<Problem, 'cure'> {
  readonly cure: Omit<Cure, 'fix'> & {
    /** `launch doctor --fix` does it. */
    readonly automatic: boolean;
  };
}

export interface AppliedFix {
  readonly check: CheckId;
  readonly problem: string;
  /** What was done; or why it was not. */
  readonly done: string | undefined;
  readonly failure: string | undefined;
}

export interface HealthReport {
  /** No check failed. */
  readonly canLaunch: boolean;
  readonly checks: readonly CheckReport[];
  readonly fixes: readonly AppliedFix[];
}

interface Examined {
  readonly id: CheckId;
  readonly finding: Finding;
}

/**
 * Looks at the host, all checks side by side. Nothing is changed but by `fix`, apart from trial files that
 * come and go in the home.
 *
 * @throws LaunchError INTERRUPTED
 */
export async function examineHost(
  host: Host,
  request: ExamineRequest = {},
  work: Work = {},
): Promise<HealthReport> {
  const places = { ...defaultPlaces, ...request.places };
  const asked = request.checks?.length ? checkIds.filter((id) => request.checks?.includes(id)) : checkIds;
  const first = await examine(new Examination(host, places, work.signal), asked);
  checkInterrupted(work);
  const fixes = request.fix === true ? await applyFixes(first, work) : [];
  const last =
    fixes.length === 0
      ? first
      : await examine(
          new Examination(host, places, work.signal),
          first.map(({ id }) => id),
        );
  checkInterrupted(work);
  const reports = last.map(report);
  return { canLaunch: reports.every(({ status }) => status !== 'failed'), checks: reports, fixes };
}

async function examine(examination: Examination, ids: readonly CheckId[]): Promise<readonly Examined[]> {
  const unreachable = new Set<CheckId>();
  const run = async (id: CheckId): Promise<Examined> => ({
    id,
    finding: await withinLimit(checks[id].run(examination)).catch((error: unknown) => {
      if (!(error instanceof LaunchError) || error.code === 'INTERRUPTED') throw error;
      if (error.code !== 'HYPERVISOR_UNREACHABLE') return notFoundOut(error.message);
      unreachable.add(id);
      return notFoundOut('libvirt cannot be asked');
    }),
  });
  const found = await Promise.all(ids.map(run));
  // Whoever asks for one check only is to hear of it too: no launch can work without libvirt.
  return unreachable.size > 0 && !ids.includes('libvirt') ? [await run('libvirt'), ...found] : found;
}

function notFoundOut(reason: string): Finding {
  return { found: reason, problems: [], unknown: true };
}

async function withinLimit(finding: Promise<Finding>): Promise<Finding> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<Finding>((resolve) => {
    timer = setTimeout(() => {
      resolve(notFoundOut(`no answer within ${checkLimitMs / 1000} s`));
    }, checkLimitMs);
  });
  try {
    return await Promise.race([finding, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** One after the other: a cure may depend on the one before, as a network on libvirt. */
async function applyFixes(examined: readonly Examined[], work: Work): Promise<readonly AppliedFix[]> {
  const applied: AppliedFix[] = [];
  for (const { id, finding } of examined) {
    for (const { found, cure } of finding.problems) {
      if (cure.fix === undefined) continue;
      checkInterrupted(work);
      const about = { check: id, problem: found };
      try {
        applied.push({ ...about, done: await cure.fix(), failure: undefined });
      } catch (error) {
        if (!(error instanceof LaunchError) || error.code === 'INTERRUPTED') throw error;
        applied.push({ ...about, done: undefined, failure: error.message });
      }
    }
  }
  return applied;
}

function report({ id, finding }: Examined): CheckReport {
  return {
    id,
    title: checks[id].title,
    status: statusOf(finding),
    found: finding.found,
    problems: finding.problems.map(({ cure: { fix, ...cure }, ...problem }) => ({
      ...problem,
      cure: { ...cure, automatic: fix !== undefined },
    })),
    details: finding.details ?? [],
    facts: finding.facts ?? {},
  };
}
