import { readFile } from 'node:fs/promises';

/**
 * Names the time since the kernel started. What was written and not yet synced in another one may be lost
 * in part, whatever the file's size and time say.
 */
export async function readBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
