import { takeLock, tryTakeLock, type Lock } from '../../host/lock.js';
import { runStep, type Work } from '../../host/work.js';
import type { CatalogueEntry } from '../../image/catalogue/catalogue.js';
import type { Host } from '../open-host.js';

const tellEveryBytes = 256 * 1024;

/** One at a time; those who wait see how far the one at work is. */
export async function withEntryLock<T>(
  host: Host,
  entry: CatalogueEntry,
  work: Work,
  run: (work: Work) => Promise<T>,
): Promise<T> {
  const lock = await takeEntryLock(host, entry, work);
  const action = `fetching ${entry.name}`;
  let telling = lock.tell({ action });
  let toldAt = 0;
  const onEvent: Work['onEvent'] = (event) => {
    work.onEvent?.(event);
    if (event.type !== 'step-progress' || event.doneBytes === undefined) return;
    const { doneBytes, totalBytes } = event;
    // Those who wait look a few times a second; a download has thousands of pieces.
    if (doneBytes - toldAt < tellEveryBytes) return;
    toldAt = doneBytes;
    telling = telling.then(() =>
      lock.tell({ action, doneBytes, ...(totalBytes === undefined ? {} : { totalBytes }) }),
    );
  };
  try {
    return await run({ ...work, onEvent });
  } finally {
    await telling.finally(() => lock.release({ remove: true }));
  }
}

async function takeEntryLock(host: Host, entry: CatalogueEntry, work: Work): Promise<Lock> {
  const path = host.home.lock(`catalogue-${entry.name}`);
  // Nobody has to wait, nearly always: then there is no step to tell of.
  const free = await tryTakeLock(path);
  if (free !== undefined) return free;
  return await runStep(
    work,
    'image',
    `waiting for another process to fetch ${entry.name}`,
    (progress) =>
      takeLock(path, {
        work,
        onWait: (holder) => {
          if (holder === undefined) return;
          const message = `waiting: process ${holder.pid} is ${holder.action}`;
          progress(message, holder.doneBytes, holder.totalBytes);
        },
      }),
    () => `another process is done with ${entry.name}`,
  );
}
