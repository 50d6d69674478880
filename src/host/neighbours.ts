import { readFile } from 'node:fs/promises';
import * as v from 'valibot';
import type { CommandRunner } from './command.js';
import { LaunchError } from './launch-error.js';

/** Another machine's address on a network of this host, as the kernel resolved it (ARP, neighbour discovery). */
export interface Neighbour {
  readonly address: string;
  /** Lower case, with colons. */
  readonly macAddress: string;
  /** Heard of within the last half minute; otherwise it may be long gone. */
  readonly recent: boolean;
}

const neighboursSchema = v.array(
  v.object({
    dst: v.string(),
    lladdr: v.optional(v.string()),
    state: v.optional(v.array(v.string()), []),
  }),
);

/** The kernel's table of neighbours; without iproute2 of IPv4 only. Empty where neither can be read. */
export async function readNeighbours(runner: CommandRunner): Promise<readonly Neighbour[]> {
  try {
    const result = await runner.run('ip', ['-json', 'neigh', 'show'], { timeoutMs: 5000 });
    if (result.exitCode === 0) return parseNeighbours(result.stdout);
  } catch (error) {
    if (!(error instanceof LaunchError) || error.code === 'INTERRUPTED') throw error;
  }
  return parseArpTable(await readFile('/proc/net/arp', 'utf8').catch(() => ''));
}

/** The output of `ip -json neigh`; states as in ip-neighbour(8). */
export function parseNeighbours(text: string): readonly Neighbour[] {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), neighboursSchema), text.trim() || '[]');
  if (!parsed.success) return [];
  return parsed.output.flatMap(({ dst, lladdr, state }) => {
    const failed = state.includes('FAILED') || state.includes('INCOMPLETE');
    if (lladdr === undefined || failed) return [];
    return [
      {
        address: dst,
        macAddress: lladdr.toLowerCase(),
        recent: state.includes('REACHABLE') || state.includes('PERMANENT'),
      },
    ];
  });
}

/** /proc/net/arp: address, type, flags, MAC, mask, device; bit 2 of the flags says that it is complete. */
export function parseArpTable(text: string): readonly Neighbour[] {
  return text.split('\n').flatMap((line) => {
    const [address, , flags, macAddress] = line.trim().split(/\s+/);
    if (address === undefined || macAddress === undefined || !/^0x[0-9a-f]+$/.test(flags ?? '')) return [];
    const complete = (Number(flags) & 0x2) !== 0;
    return complete ? [{ address, macAddress: macAddress.toLowerCase(), recent: false }] : [];
  });
}
