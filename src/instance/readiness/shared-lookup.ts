interface Lookup {
  readonly at: number;
  readonly answer: Promise<unknown>;
}

const lookups = new WeakMap<object, Map<string, Lookup>>();

/** Answers are shared for this long: twenty waits in one process ask as often as one. */
const sharedMs = 450;

/**
 * Asks a question of the host, or takes the answer that somebody in this process got a moment ago.
 *
 * @param owner whom the question is asked of: answers live as long as it does
 */
export async function shareLookup<T>(owner: object, question: string, ask: () => Promise<T>): Promise<T> {
  const known = lookups.get(owner) ?? new Map<string, Lookup>();
  lookups.set(owner, known);
  const last = known.get(question);
  if (last !== undefined && performance.now() - last.at < sharedMs) return (await last.answer) as T;
  const answer = ask();
  known.set(question, { at: performance.now(), answer });
  return await answer;
}
