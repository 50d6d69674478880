import { readFileSync } from 'node:fs';

/**
 * What a real guest printed on its serial console, shortened in the middle: the small guest, and a Debian with
 * bad user-data. `cloud-init-finished` and those of UEFI and initramfs are put together from what these
 * programs print.
 */
export function readConsoleFixture(name: string): string {
  return readFileSync(new URL(`../fixtures/console/${name}.txt`, import.meta.url), 'utf8');
}
