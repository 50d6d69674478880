import { findBaseRecord, isBaseName } from '../../disk/base-record.js';
import { findFileStat, listDirectory, removeTree } from '../../host/files.js';
import { tryTakeLock } from '../../host/lock.js';
import { imageLockPath } from '../../image/image-store.js';
import type { Host } from '../open-host.js';

/** Removes records of bases that are gone or never came, as a kill between the two leaves them. */
export async function clearOrphanRecords(host: Host): Promise<void> {
  const { home } = host;
  for (const file of await listDirectory(home.bases)) {
    const name = file.replace(/\.json$/, '');
    if (!file.endsWith('.json') || !isBaseName(name)) continue;
    if ((await findFileStat(home.base(name).file)) !== undefined) continue;
    const record = await findBaseRecord(home, name).catch(() => undefined);
    if (record === undefined) continue;
    // Whoever makes a base writes its record first, under this lock.
    const lock = await tryTakeLock(imageLockPath(home, record.imageId));
    if (lock === undefined) continue;
    try {
      if ((await findFileStat(home.base(name).file)) === undefined) await removeTree(home.base(name).record);
    } finally {
      await lock.release();
    }
  }
}
