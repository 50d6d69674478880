import { chmod } from 'node:fs/promises';
import { vagrantPrivateKey } from '../../guest/ssh/vagrant-key.js';
import { readTextFile, writeFileAtomic } from '../../host/files.js';
import type { Maker } from '../../host/maker.js';
import type { HomePaths } from '../../host/paths.js';
import { fileSystemError } from '../../host/system-error.js';
import type { ImageRecord } from '../../image/image-record.js';
import type { SeedRequest } from '../seed/plan-seed.js';

/**
 * The private key for a guest of a Vagrant box, where nobody named a key or a user: most boxes have no
 * cloud-init that would read the seed, and all know Vagrant's published key.
 *
 * @returns undefined for other images
 */
export function boxKeyFile(home: HomePaths, image: ImageRecord, seed: SeedRequest = {}): string | undefined {
  const isAsked = (seed.keys ?? []).length > 0 || seed.user !== undefined;
  return image.properties['launch_login_key'] === 'vagrant' && !isAsked ? home.vagrantKey : undefined;
}

/** Puts the key where ssh can read it: as a file that nobody else may, or ssh would not take it. */
export async function ensureBoxKey(home: HomePaths, file: string | null, maker: Maker): Promise<void> {
  if (file !== home.vagrantKey) return;
  try {
    if (readTextFile(file) !== vagrantPrivateKey) await writeFileAtomic(file, vagrantPrivateKey, maker);
    await chmod(file, 0o600);
  } catch (error) {
    throw fileSystemError('write', file, error);
  }
}
