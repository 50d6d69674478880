/** How far a guest has come, in the order in which a boot passes. */
export const stages = [
  'started',
  'firmware',
  'boot loader',
  'kernel',
  'network',
  'ssh',
  'cloud-init',
] as const;

export type Stage = (typeof stages)[number];

/** When a stage was reached. */
export interface ReachedStage {
  readonly stage: Stage;
  /** Seconds since the guest's start; null: before anybody looked. */
  readonly atSeconds: number | null;
}

export function isBefore(stage: Stage, other: Stage): boolean {
  return stages.indexOf(stage) < stages.indexOf(other);
}

/**
 * `kernel 3.2 s, network 9.5 s`: what was reached, without the start itself; of what was there before the
 * wait began, only the furthest.
 */
export function describeStages(reached: readonly ReachedStage[]): string {
  const passed = reached.filter(({ stage }) => stage !== 'started');
  const before = passed.findLast(({ atSeconds }) => atSeconds === null);
  return passed
    .flatMap((one) => {
      if (one.atSeconds !== null) return [`${one.stage} ${one.atSeconds.toFixed(1)} s`];
      return one === before ? [`${one.stage} before`] : [];
    })
    .join(', ');
}
