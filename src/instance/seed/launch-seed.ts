import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { DomainInterface } from '../../domain/domain-spec.js';
import { checkUserName, type GuestFile, type OwnConfig } from '../../guest/seed/cloud-config.js';
import { checkHostname } from '../../guest/seed/hostname.js';
import { writeIso9660 } from '../../guest/seed/iso9660.js';
import type { SeedCard } from '../../guest/seed/network-config.js';
import { configDriveFiles, nocloudFiles, seedLabels, type SeedContent } from '../../guest/seed/seed-files.js';
import {
  composeUserData,
  maximumUserDataBytes,
  needsNetwork,
  type UserData,
} from '../../guest/seed/user-data.js';
import { LaunchError } from '../../host/launch-error.js';
import type { Maker } from '../../host/maker.js';
import { fileSystemError } from '../../host/system-error.js';
import type { Work } from '../../host/work.js';
import { readInputFile } from './input-file.js';
import type { Host } from '../open-host.js';
import type { LaunchPlan } from '../plan-launch.js';
import type { SeedFacts, SeededFile, SeedKind, SeedRequest } from './plan-seed.js';
import { ensureHomeKey, findSeedKeys, type SeedKeys } from './seed-keys.js';

/** All that was asked for a seed, read and found good. */
export interface SeedDraft {
  readonly kind: SeedKind;
  readonly facts: SeedFacts;
  readonly keys: SeedKeys;
  readonly userData: readonly UserData[];
  readonly own: Omit<OwnConfig, 'publicKeys'>;
  readonly networkConfig: string | undefined;
}

/**
 * Reads what a seed is made of; makes nothing.
 *
 * @returns undefined when there shall be none
 * @throws LaunchError ARGUMENT_INVALID, PERMISSION_DENIED, FILE_SYSTEM
 */
export async function draftSeed(
  host: Host,
  request: SeedRequest,
  work: Work,
): Promise<SeedDraft | undefined> {
  const { kind = 'nocloud', user, hostname } = request;
  if (kind === 'none') {
    refuseContent(request);
    return undefined;
  }
  const maximumBytes = maximumUserDataBytes;
  const userData: UserData[] = [];
  for (const path of request.userData ?? []) {
    const { content } = await readInputFile(path, { what: '--user-data', maximumBytes });
    // Loaded when there is something to read: it brings a parser of YAML with it.
    const { readUserData } = await import('../../guest/seed/read-user-data.js');
    userData.push(readUserData(content, `the user-data "${path}"`));
  }
  const own = {
    user: user === undefined ? undefined : checkUserName(user),
    commands: (request.run ?? []).map(checkCommand),
    files: await Promise.all((request.files ?? []).map(readGuestFile)),
  };
  const networkConfig = await readNetworkConfig(request.networkConfig, kind);
  const keys = await findSeedKeys(host, request.keys, work);
  // What cannot be joined is refused now, before anything is made.
  composeUserData(userData, { ...own, publicKeys: keys.publicKeys });
  const facts: SeedFacts = {
    ...{ kind, user: own.user, identityFile: keys.identityFile, needsNetwork: needsNetwork(userData) },
    hostname: hostname === undefined ? undefined : checkHostname(hostname),
  };
  return { kind, facts, keys, userData, own, networkConfig };
}

/** Makes the key that a seed lacks. */
export async function completeSeed(
  host: Host,
  draft: SeedDraft | undefined,
  maker: Maker,
  work: Work,
): Promise<SeedDraft | undefined> {
  if (draft?.keys.toBeMade !== true) return draft;
  return { ...draft, keys: await ensureHomeKey(host, maker, work) };
}

/**
 * Writes the disk that tells an instance who it is: readable by QEMU's user alone, to whom libvirt gives it.
 *
 * @throws LaunchError DISK_FULL, FILE_SYSTEM
 */
export async function writeSeed(
  path: string,
  seed: { readonly draft: SeedDraft; readonly plan: LaunchPlan; readonly date: Date },
): Promise<void> {
  const { draft, plan, date } = seed;
  const content: SeedContent = {
    uuid: plan.uuid,
    displayName: plan.displayName,
    hostname: plan.seed?.hostname ?? plan.domainName,
    publicKeys: draft.keys.publicKeys,
    userData: composeUserData(draft.userData, { ...draft.own, publicKeys: draft.keys.publicKeys }),
    networkConfig: draft.networkConfig,
    cards: plan.interfaces.map(cardOf),
    randomSeed: randomBytes(512),
  };
  const files = draft.kind === 'nocloud' ? nocloudFiles(content) : configDriveFiles(content);
  const image = writeIso9660(
    files.map((file) => ({ path: file.path, content: Buffer.from(file.text) })),
    { label: seedLabels[draft.kind], date },
  );
  await writeSparse(path, image);
}

/** The zeros at the end take no space. */
async function writeSparse(
  path: string,
  image: { readonly content: Buffer; readonly sizeBytes: number },
): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(image.content);
      await file.truncate(image.sizeBytes);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileSystemError('write the seed', path, error);
  }
}

function cardOf(card: DomainInterface): SeedCard {
  const { macAddress } = card;
  switch (card.kind) {
    case 'network':
      return { macAddress, network: `network ${card.network}` };
    case 'bridge':
      return { macAddress, network: `bridge ${card.bridge}` };
    case 'user':
      return { macAddress, network: 'user' };
  }
}

function refuseContent({ kind, ...content }: SeedRequest): void {
  const values: readonly unknown[] = Object.values(content);
  if (values.every((value) => value === undefined || (Array.isArray(value) && value.length === 0))) return;
  throw new LaunchError('ARGUMENT_INVALID', `with the seed ${String(kind)} the guest can be told nothing`, {
    hint: 'leave out --key, --user-data, --user, --hostname, --run, --file and --network-config, or --seed none',
  });
}

function checkCommand(command: string): string {
  if (command.trim() !== '' && !command.includes('\0')) return command;
  throw new LaunchError('ARGUMENT_INVALID', '--run takes a command, not an empty one');
}

async function readGuestFile({ local, remote, mode }: SeededFile): Promise<GuestFile> {
  if (!remote.startsWith('/') || remote.endsWith('/') || /\p{Cc}/u.test(remote)) {
    throw new LaunchError(
      'ARGUMENT_INVALID',
      `${JSON.stringify(remote)} is no path for a file in the guest`,
      { hint: 'it begins with a slash, and is a file:  --file ./motd:/etc/motd' },
    );
  }
  const read = await readInputFile(local, { what: '--file', maximumBytes: maximumUserDataBytes });
  return { path: remote, mode: mode ?? read.mode, content: read.content };
}

async function readNetworkConfig(path: string | undefined, kind: SeedKind): Promise<string | undefined> {
  if (path === undefined) return undefined;
  if (kind === 'config-drive') {
    throw new LaunchError(
      'ARGUMENT_INVALID',
      '--network-config is in a form that a config drive has no place for',
      { hint: 'use the seed that has:  --seed nocloud' },
    );
  }
  const { content } = await readInputFile(path, {
    what: '--network-config',
    maximumBytes: maximumUserDataBytes,
  });
  const { checkNetworkConfig } = await import('../../guest/seed/check-network-config.js');
  return checkNetworkConfig(content.toString('utf8'), `the network configuration "${path}"`);
}
