import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { homePaths, type HomePaths } from '../../src/host/paths.js';

/** A home of its own for one test; `dispose` removes it with all that is in it. */
export interface TemporaryHome extends HomePaths {
  dispose(): Promise<void>;
}

/** The directory exists and is empty: what a verb needs in it, it makes itself. */
export async function temporaryHome(): Promise<TemporaryHome> {
  const root = await mkdtemp(join(tmpdir(), 'launch-home-'));
  return {
    ...homePaths(root),
    dispose: async () => {
      // Work that a failed test left behind may still be writing.
      await rm(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
    },
  };
}
