import { takeLock, type Lock } from '../host/lock.js';
import type { Work } from '../host/work.js';
import type { Host } from './open-host.js';

/**
 * Runs a verb on an instance while no other verb works on it; whoever waits says for whom. The lock's
 * file goes when the verb is done: a lock file that stays means nothing.
 */
export async function withInstanceLock<T>(
  host: Host,
  domainName: string,
  action: string,
  work: Work,
  run: (lock: Lock) => Promise<T>,
): Promise<T> {
  let told = false;
  const lock = await takeLock(host.home.lock(`instance-${domainName}`), {
    work,
    onWait: (holder) => {
      if (told) return;
      told = true;
      const who =
        holder === undefined ? 'another command' : `process ${holder.pid}, which is ${holder.action}`;
      work.onEvent?.({ type: 'notice', message: `waiting for ${who}` });
    },
  });
  try {
    await lock.tell({ action });
    return await run(lock);
  } finally {
    await lock.release({ remove: true });
  }
}
