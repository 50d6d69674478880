import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const projectRoot = fileURLToPath(new URL('../..', import.meta.url));

const distribution = /^ID="?([a-z]+)"?$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];

/** Not where the distribution does not package what builds it: scripts/test says so. */
export const canBuildDebianImage =
  ['debian', 'ubuntu'].includes(distribution ?? '') || existsSync('/usr/bin/mmdebstrap');

/** A guest of the host's own Debian or Ubuntu, elsewhere of Debian (docs/guest-image.md). */
export interface DebianImage {
  readonly path: string;
  /** As whom cloud-init lets one in: each distribution's image has a user of its own name. */
  readonly adminUser: string;
}

/** The image that scripts/build-debian-image makes; made now when it is missing or older than its builder. */
export async function requireDebianImage(): Promise<DebianImage> {
  const path = join(projectRoot, '.cache', 'guest-image', 'debian.qcow2');
  await execa(join(projectRoot, 'scripts', 'build-debian-image'), ['--if-older', path], { stdin: 'ignore' });
  return { path, adminUser: distribution === 'ubuntu' ? 'ubuntu' : 'debian' };
}
