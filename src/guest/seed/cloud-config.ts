import { LaunchError } from '../../host/launch-error.js';
import { writeYaml, type YamlValue } from './write-yaml.js';

/** What of a seed becomes a cloud-config of ours. */
export interface OwnConfig {
  readonly user: string | undefined;
  readonly publicKeys: readonly string[];
  readonly commands: readonly string[];
  readonly files: readonly GuestFile[];
}

export interface GuestFile {
  /** Absolute. */
  readonly path: string;
  readonly mode: number;
  readonly content: Buffer;
}

/** What cloud-init does with it is said in its reference: users-groups, ssh, write-files, runcmd. */
interface CloudConfig {
  users?: YamlValue[];
  disable_root?: boolean;
  write_files?: YamlValue[];
  runcmd?: YamlValue[];
}

/**
 * How a part of ours joins what came before it: our lists go behind the others, and of two single values that
 * are not alike the other one stays. cloud-init's own way would let the later part replace the whole key.
 */
const mergeHow = [
  { name: 'list', settings: ['append'] },
  { name: 'dict', settings: ['no_replace', 'recurse_list'] },
];

/** The keys that are ours; where another part has one of them, it has to be a list. */
const ownLists = { users: '--user', write_files: '--file', runcmd: '--run' } as const;

/**
 * @param others what the cloud-configs before ours say at their top, as far as they can be read; undefined when
 * ours stands alone
 * @returns undefined when there is nothing to say
 */
export function renderOwnConfig(
  own: OwnConfig,
  others: readonly Readonly<Record<string, unknown>>[] | undefined,
): string | undefined {
  const config: Record<string, YamlValue> = {
    ...(own.user === undefined ? {} : userConfig(own.user, own.publicKeys, others ?? [])),
    ...(own.files.length === 0 ? {} : { write_files: own.files.map(fileEntry) }),
    ...(own.commands.length === 0 ? {} : { runcmd: [...own.commands] }),
  };
  if (Object.keys(config).length === 0) return undefined;
  for (const [key, option] of Object.entries(ownLists)) {
    if (key in config) checkLists(others ?? [], key, option);
  }
  return `#cloud-config\n${writeYaml(others === undefined ? config : { merge_how: mergeHow, ...config })}`;
}

function userConfig(
  name: string,
  publicKeys: readonly string[],
  others: readonly Readonly<Record<string, unknown>>[],
): CloudConfig {
  // The keys of the meta-data go to root too; cloud-init only puts a refusal before them.
  if (name === 'root') return { disable_root: false };
  const user = {
    name,
    sudo: 'ALL=(ALL) NOPASSWD:ALL',
    shell: '/bin/bash',
    lock_passwd: true,
    ssh_authorized_keys: [...publicKeys],
  };
  // A list of users takes the place of the image's own, in which its default user is.
  return { users: others.some((other) => 'users' in other) ? [user] : ['default', user] };
}

function fileEntry({ path, mode, content }: GuestFile) {
  return {
    path,
    permissions: `0${mode.toString(8).padStart(3, '0')}`,
    encoding: 'b64',
    content: content.toString('base64'),
  };
}

function checkLists(others: readonly Readonly<Record<string, unknown>>[], key: string, option: string): void {
  for (const other of others) {
    if (key in other && !Array.isArray(other[key])) {
      throw new LaunchError(
        'ARGUMENT_INVALID',
        `${option} cannot be joined with the user-data: its "${key}" is no list`,
        { hint: `write "${key}" as a list, or put what ${option} says into it` },
      );
    }
  }
}

const userName = /^[a-z_][a-z0-9_-]{0,31}$/;

/** @throws LaunchError ARGUMENT_INVALID */
export function checkUserName(name: string): string {
  if (userName.test(name)) return name;
  throw new LaunchError('ARGUMENT_INVALID', `${JSON.stringify(name)} is no name for a user in the guest`, {
    hint: 'lower-case letters, digits, "-" and "_", at most 32, beginning with a letter',
  });
}
