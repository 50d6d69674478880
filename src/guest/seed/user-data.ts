import { LaunchError } from '../../host/launch-error.js';
import { formatBytes } from '../../host/units.js';
import { renderOwnConfig, type OwnConfig } from './cloud-config.js';
import { writeMultipart } from './mime.js';
import type { UserDataKind } from './user-data-kind.js';

/**
 * cloud-init keeps user-data in memory several times over, as text and as what it parsed, in guests of 256 MiB
 * too. (EC2 takes 16 KiB, Nova 65535 characters of base64; the disk itself would hold any size.)
 */
export const maximumUserDataBytes = 1024 ** 2;

/** One file of user-data that has been looked at. */
export interface UserData {
  /** For people. */
  readonly name: string;
  readonly kind: UserDataKind;
  readonly content: string;
  /** The tops of the cloud-configs in it that can be read beforehand. */
  readonly configs: readonly Readonly<Record<string, unknown>>[];
}

/** Whether cloud-init will have to fetch something before it knows what it is to do. */
export function needsNetwork(userData: readonly UserData[]): boolean {
  return userData.some(
    ({ kind, content }) =>
      kind.kind === 'include' || /^[\s"'-]*#include|x-include-(once-)?url/im.test(content),
  );
}

/**
 * One document of what the user brings and what is ours. Ours comes last: what it lists goes behind the
 * others' lists, and theirs are the single values (see cloud-config.ts).
 *
 * @returns undefined when there is nothing to say
 * @throws LaunchError ARGUMENT_INVALID when they cannot be joined
 */
export function composeUserData(userData: readonly UserData[], own: OwnConfig): string | undefined {
  const [first, ...more] = userData;
  if (first === undefined) return checkSize(renderOwnConfig(own, undefined));
  const ours = renderOwnConfig(
    own,
    userData.flatMap(({ configs }) => configs),
  );
  if (ours === undefined && more.length === 0) return first.content;
  const loner = userData.find(({ kind }) => kind.kind === 'ignition' || kind.kind === 'cloudbase');
  if (loner !== undefined) {
    throw new LaunchError(
      'ARGUMENT_INVALID',
      `${loner.name} is not for cloud-init, so nothing can be joined with it`,
      { hint: 'leave out --run, --file, --user and further --user-data' },
    );
  }
  const parts = userData.map(({ kind, content }, index) => ({
    type: 'type' in kind ? kind.type : 'multipart/mixed',
    // As cloud-init would call them: scripts run in the order of their names, before the `runcmd` that is ours.
    filename: `part-${String(index + 1).padStart(3, '0')}`,
    content,
  }));
  const last = { type: 'text/cloud-config', filename: 'launch', content: ours ?? '' };
  return checkSize(writeMultipart(ours === undefined ? parts : [...parts, last]));
}

function checkSize(document: string | undefined): string | undefined {
  const sizeBytes = Buffer.byteLength(document ?? '');
  if (sizeBytes <= maximumUserDataBytes) return document;
  throw new LaunchError(
    'ARGUMENT_INVALID',
    `the user-data would have ${formatBytes(sizeBytes)}, of at most ${formatBytes(maximumUserDataBytes)}`,
    {
      hint: 'files grow by a third in it; copy large ones once the guest is up:  launch cp',
      details: { sizeBytes, maximumBytes: maximumUserDataBytes },
    },
  );
}
