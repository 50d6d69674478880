import { chmod, realpath, rename, rm, stat, writeFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { includesFile } from '../../guest/ssh/ssh-config.js';
import { readTextFile } from '../../host/files.js';
import { errnoOf, fileSystemError } from '../../host/system-error.js';

export interface UserSshConfig {
  readonly path: string;
  readonly included: boolean;
}

/** The line for a user's own configuration; it has to stand before the first Host. */
export function includeLine(config: string): string {
  return /\s/.test(config) ? `Include "${config}"` : `Include ${config}`;
}

/** Whether a user's ssh reads our file already. */
export async function findUserSshConfig(sshDirectory: string, config: string): Promise<UserSshConfig> {
  const path = join(sshDirectory, 'config');
  return { path, included: includesFile(readTextFile(path) ?? '', config) };
}

/** Puts the line before all else; the rest of the file, its mode, and a link to it elsewhere stay. */
export async function includeSshConfig(path: string, config: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const real = await realpath(path).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return path;
      throw error;
    });
    const text = readTextFile(real) ?? '';
    const mode = text === '' ? 0o600 : (await stat(real)).mode & 0o777;
    const temporary = `${real}.${process.pid}.tmp`;
    try {
      await writeFile(temporary, `${includeLine(config)}\n\n${text}`, { flag: 'wx', mode: 0o600 });
      await chmod(temporary, mode);
      await rename(temporary, real);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  } catch (error) {
    throw fileSystemError('write', path, error);
  }
}
