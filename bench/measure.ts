/** What one run of a contender gave: a number for each of a benchmark's measures, seconds unless it says so. */
export type Sample = Readonly<Record<string, number>>;

export interface Contender {
  readonly name: string;
  /** Prepares what is not measured, measures, and clears up. */
  measure(round: number): Promise<Sample>;
}

export interface Spread {
  readonly median: number;
  readonly minimum: number;
  readonly maximum: number;
}

/** One contender over all rounds, by measure. */
export interface Result {
  readonly name: string;
  readonly values: Readonly<Record<string, Spread>>;
  /** To the reference's value in the same round, so that a machine that slows down cancels out. */
  readonly ratios: Readonly<Record<string, Spread>>;
}

export interface Rounds {
  readonly rounds: number;
  /** Name of the contender that the others are compared with. */
  readonly reference: string;
  readonly signal?: AbortSignal;
  readonly onRun?: (text: string) => void;
}

/**
 * Runs the contenders in turn, round after round, each round beginning with another one; one round before
 * them warms up and is not counted.
 */
export async function measureInTurn(
  contenders: readonly Contender[],
  { rounds, reference, signal, onRun }: Rounds,
): Promise<readonly Result[]> {
  const counted: ReadonlyMap<string, Sample>[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const samples = new Map<string, Sample>();
    for (const contender of rotated(contenders, round)) {
      signal?.throwIfAborted();
      onRun?.(`round ${round} of ${rounds}: ${contender.name}`);
      samples.set(contender.name, await contender.measure(round));
    }
    if (round > 0) counted.push(samples);
  }
  return summarize(
    contenders.map(({ name }) => name),
    counted,
    reference,
  );
}

export function rotated<T>(list: readonly T[], by: number): readonly T[] {
  const at = by % Math.max(1, list.length);
  return [...list.slice(at), ...list.slice(0, at)];
}

/** @param rounds each with a sample of every contender that was measured in it */
export function summarize(
  names: readonly string[],
  rounds: readonly ReadonlyMap<string, Sample>[],
  reference: string,
): readonly Result[] {
  return names.map((name) => {
    const values = new Map<string, number[]>();
    const ratios = new Map<string, number[]>();
    for (const samples of rounds) {
      const compared = samples.get(reference);
      for (const [measure, value] of Object.entries(samples.get(name) ?? {})) {
        push(values, measure, value);
        const base = compared?.[measure];
        if (base !== undefined && base > 0) push(ratios, measure, value / base);
      }
    }
    return { name, values: spreads(values), ratios: spreads(ratios) };
  });
}

function push(lists: Map<string, number[]>, key: string, value: number): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

function spreads(lists: ReadonlyMap<string, readonly number[]>): Readonly<Record<string, Spread>> {
  return Object.fromEntries([...lists].map(([measure, numbers]) => [measure, spreadOf(numbers)]));
}

export function spreadOf(numbers: readonly number[]): Spread {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const lower = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return {
    median: (lower + upper) / 2,
    minimum: sorted[0] ?? Number.NaN,
    maximum: sorted.at(-1) ?? Number.NaN,
  };
}
