import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const projectRoot = fileURLToPath(new URL('../..', import.meta.url));

/** A guest of the host's own distribution (docs/guest-image.md). */
export interface DebianImage {
  readonly path: string;
  /** As whom cloud-init lets one in: each distribution's image has a user of its own name. */
  readonly adminUser: string;
}

/** The image that scripts/build-debian-image makes; made now when it is missing or older than its builder. */
export async function requireDebianImage(): Promise<DebianImage> {
  const path = join(projectRoot, '.cache', 'guest-image', 'debian.qcow2');
  await execa(join(projectRoot, 'scripts', 'build-debian-image'), ['--if-older', path], { stdin: 'ignore' });
  const release = await readFile('/etc/os-release', 'utf8');
  const adminUser = /^ID="?([a-z]+)"?$/m.exec(release)?.[1];
  if (adminUser === undefined) throw new Error('/etc/os-release has no ID');
  return { path, adminUser };
}
