import { diagnose } from '../../guest/autopsy/autopsy.js';
import { evidenceLines, renderAutopsy } from '../../guest/autopsy/autopsy-report.js';
import type { Diagnosis } from '../../guest/autopsy/diagnosis.js';
import type { Evidence } from '../../guest/autopsy/evidence.js';
import { LaunchError, type LaunchErrorCode } from '../../host/launch-error.js';
import type { BootWatch } from './boot-watch.js';
import { readCards } from './card-evidence.js';
import type { WaitFor } from '../plan-launch.js';

/** Why a wait ended without what was waited for: the evidence is gathered, judged, and told. */
export async function waitFailure(
  watch: BootWatch,
  waitFor: WaitFor,
  options: { readonly timeoutMs: number; readonly final: boolean },
): Promise<LaunchError> {
  const { host, instance } = watch;
  const { domainName } = instance;
  const goal = waitFor.kind as Evidence['goal'];
  await watch.lookAtDomain();
  const cards = await readCards(host, instance, watch.secondsSinceStart + 60);
  const evidence = watch.evidence(goal, cards);
  const diagnosis = diagnose(evidence, domainName);
  const stages = watch.reached;
  const after = options.final ? '' : ` after ${formatSeconds(options.timeoutMs)}`;
  const message = `${domainName} is not ready (${goal})${after}: it ${problemOf(diagnosis, waitFor)}`;
  return new LaunchError(codeOf(diagnosis, options.final), message, {
    hint: renderAutopsy({ diagnosis, evidence, stages }),
    details: {
      domainName,
      uuid: instance.uuid,
      waitedFor: goal,
      timeoutMs: options.timeoutMs,
      cause: diagnosis.cause,
      lastStage: watch.stage,
      stages,
      evidence: evidenceLines(evidence),
      likely: diagnosis.likely,
      cures: diagnosis.cures,
      lastLines: evidence.console.lastLines,
    },
  });
}

function formatSeconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds} ms` : `${Math.round(milliseconds / 100) / 10} s`;
}

function problemOf({ cause, problem }: Diagnosis, waitFor: WaitFor): string {
  if (waitFor.kind !== 'console') return problem;
  const pattern = `/${waitFor.pattern.source}/`;
  return cause === 'pattern-unseen'
    ? `runs, but did not print ${pattern}`
    : `${problem}; ${pattern} was not printed`;
}

function codeOf({ cause }: Diagnosis, final: boolean): LaunchErrorCode {
  if (cause === 'guest-gone' || cause === 'guest-off') return 'INSTANCE_STATE';
  return final ? 'GUEST_FAILED' : 'WAIT_TIMEOUT';
}
