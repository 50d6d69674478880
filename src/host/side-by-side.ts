/**
 * Runs the work on each item, at most `limit` at a time; results in the items' order. After the first failure
 * nothing more is begun, and it is thrown when what was under way has ended.
 */
export async function sideBySide<T, R>(
  items: readonly T[],
  limit: number,
  run: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results = new Array<R>(items.length);
  const left = items.entries();
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    // One iterator for all workers: each takes the next.
    for (const [index, item] of left) {
      if (failures.length > 0) return;
      try {
        results[index] = await run(item);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  if (failures.length > 0) throw failures[0];
  return results;
}
