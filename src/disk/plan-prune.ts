/** A base as the decision needs it. Times in milliseconds since 1970. */
export interface PruneCandidate {
  readonly name: string;
  /** Bytes that its removal gives back. */
  readonly givesBackBytes: number;
  /** Domains and instances with it in a chain. */
  readonly usedBy: readonly string[];
  readonly lastUsedMs: number;
}

export interface PruneRule {
  /** Bases used since then stay; 0 spares none. */
  readonly olderThanMs: number;
  /** Removes only until so many bytes are free; undefined sets no such end. */
  readonly keepFreeBytes: number | undefined;
}

/**
 * Why a base stays or goes: `used` by domains or instances, `recent`, `enough-free` without it, `unused`;
 * and what only the attempt can tell: `busy` with another command.
 */
export type PruneReason = 'used' | 'recent' | 'enough-free' | 'unused' | 'busy';

export interface PruneDecision {
  readonly name: string;
  readonly removes: boolean;
  readonly reason: PruneReason;
}

/** An age of 0 is any age, also where the clock was set back since. */
export function isRecent(lastUsedMs: number, rule: PruneRule, nowMs: number): boolean {
  return rule.olderThanMs > 0 && nowMs - lastUsedMs < rule.olderThanMs;
}

/**
 * Decides for each base whether it goes: those that were not used for longest first, and none that anything
 * uses, whatever its age.
 *
 * @returns one decision a base, those that go first
 */
export function planPrune(
  candidates: readonly PruneCandidate[],
  rule: PruneRule,
  facts: { readonly nowMs: number; readonly freeBytes: number },
): readonly PruneDecision[] {
  let freeBytes = facts.freeBytes;
  const byAge = [...candidates].sort((a, b) => a.lastUsedMs - b.lastUsedMs || a.name.localeCompare(b.name));
  const decisions = byAge.map(({ name, givesBackBytes, usedBy, lastUsedMs }): PruneDecision => {
    if (usedBy.length > 0) return { name, removes: false, reason: 'used' };
    if (isRecent(lastUsedMs, rule, facts.nowMs)) return { name, removes: false, reason: 'recent' };
    if (rule.keepFreeBytes !== undefined && freeBytes >= rule.keepFreeBytes) {
      return { name, removes: false, reason: 'enough-free' };
    }
    freeBytes += givesBackBytes;
    return { name, removes: true, reason: 'unused' };
  });
  return [...decisions.filter(({ removes }) => removes), ...decisions.filter(({ removes }) => !removes)];
}
