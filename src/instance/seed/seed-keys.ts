import { mkdir, rename } from 'node:fs/promises';
import { resolve, join } from 'node:path';
import { distinctKeys, keyFileKind, parsePublicKeys } from '../../guest/seed/public-keys.js';
import { complaintOf } from '../../host/command.js';
import { ensureDirectory, fileExists, listDirectory, removeTree } from '../../host/files.js';
import { LaunchError } from '../../host/launch-error.js';
import { takeLock } from '../../host/lock.js';
import type { Maker } from '../../host/maker.js';
import { fileSystemError } from '../../host/system-error.js';
import type { Work } from '../../host/work.js';
import { readInputFile } from './input-file.js';
import type { Host } from '../open-host.js';

/** Who may log in to a guest, and with what from here. */
export interface SeedKeys {
  readonly publicKeys: readonly string[];
  /** The private key of one of them, where it is known. */
  readonly identityFile: string | undefined;
  /** There are none yet: a pair has to be made in the home. */
  readonly toBeMade: boolean;
}

const maximumKeyFileBytes = 256 * 1024;

/**
 * The keys that were asked for; else the user's own, from files, then from their agent; else the home's.
 * Makes nothing.
 *
 * @throws LaunchError ARGUMENT_INVALID, COMMAND_MISSING
 */
export async function findSeedKeys(
  host: Host,
  requested: readonly string[] | undefined,
  work: Work,
): Promise<SeedKeys> {
  if (requested !== undefined && requested.length > 0) {
    const found = await Promise.all(
      requested.map(async (key) => (key === 'agent' ? await readAgent(host, work) : await readKeyFile(key))),
    );
    return combine(found);
  }
  const own = await findOwnKeys(host, work);
  return own.length > 0 ? combine(own) : await findHomeKey(host);
}

interface FoundKeys {
  readonly publicKeys: readonly string[];
  readonly identityFile: string | undefined;
}

function combine(found: readonly FoundKeys[]): SeedKeys {
  return {
    publicKeys: distinctKeys(found.flatMap(({ publicKeys }) => publicKeys)),
    identityFile: found.find(({ identityFile }) => identityFile !== undefined)?.identityFile,
    toBeMade: false,
  };
}

async function readKeyFile(name: string): Promise<FoundKeys> {
  if (/\s/.test(name) && keyFileKind(name) === 'private') {
    throw new LaunchError('ARGUMENT_INVALID', '--key takes a file, and this is a private key itself', {
      hint: 'anyone who saw it here can use it: make another one, and name its file',
    });
  }
  const path = resolve(name);
  const read = async (file: string) =>
    (await readInputFile(file, { what: '--key', maximumBytes: maximumKeyFileBytes })).content.toString(
      'utf8',
    );
  const content = await read(path);
  if (keyFileKind(content) === 'public') {
    const privateFile = path.endsWith('.pub') ? path.slice(0, -'.pub'.length) : undefined;
    const isThere = privateFile !== undefined && fileExists(privateFile);
    return {
      publicKeys: parsePublicKeys(content, `"${path}"`),
      identityFile: isThere ? privateFile : undefined,
    };
  }
  if (!fileExists(`${path}.pub`)) {
    throw new LaunchError(
      'ARGUMENT_INVALID',
      `"${path}" is a private key, and its public one is not beside it`,
      { hint: `make it, and try again:  ssh-keygen -y -f ${path} > ${path}.pub` },
    );
  }
  return { publicKeys: parsePublicKeys(await read(`${path}.pub`), `"${path}.pub"`), identityFile: path };
}

/** `~/.ssh/id_*.pub`; when there is none, what the agent holds. One that cannot be read is passed over. */
async function findOwnKeys(host: Host, work: Work): Promise<readonly FoundKeys[]> {
  if (host.user === undefined) return [];
  const { sshDirectory } = host.user;
  const names = await listDirectory(sshDirectory).catch(() => []);
  const found: FoundKeys[] = [];
  for (const name of names.filter((each) => /^id_.*\.pub$/.test(each)).sort()) {
    try {
      found.push(await readKeyFile(join(sshDirectory, name)));
    } catch (error) {
      if (!(error instanceof LaunchError)) throw error;
      work.onEvent?.({ type: 'notice', message: `passed over a key: ${error.message}` });
    }
  }
  if (found.length > 0 || host.user.sshAgentSocket === undefined) return found;
  return await readAgent(host, work).then(
    (keys) => [keys],
    (error: unknown) => {
      if (error instanceof LaunchError && error.code !== 'INTERRUPTED') return [];
      throw error;
    },
  );
}

async function readAgent(host: Host, work: Work): Promise<FoundKeys> {
  const socket = host.user?.sshAgentSocket;
  if (socket === undefined || socket === '') {
    throw new LaunchError('ARGUMENT_INVALID', 'there is no ssh agent here to take keys from', {
      hint: 'start one:  eval $(ssh-agent); ssh-add    or name a file:  --key FILE',
    });
  }
  const result = await host.runner.run('ssh-add', ['-L'], {
    ...{ signal: work.signal, timeoutMs: 10_000, environment: { SSH_AUTH_SOCK: socket } },
  });
  if (result.exitCode === 0) {
    return { publicKeys: parsePublicKeys(result.stdout, 'the ssh agent'), identityFile: undefined };
  }
  const complaint = result.stdout.trim() || complaintOf('ssh-add', result);
  throw new LaunchError('ARGUMENT_INVALID', `the ssh agent gives no keys: ${complaint}`, {
    hint: 'add one:  ssh-add    or name a file:  --key FILE',
  });
}

function homeKeyOf(host: Host): string {
  return join(host.home.keys, 'id_ed25519');
}

async function findHomeKey(host: Host): Promise<SeedKeys> {
  const identityFile = homeKeyOf(host);
  if (!fileExists(identityFile)) return { publicKeys: [], identityFile, toBeMade: true };
  return combine([await readKeyFile(identityFile)]);
}

/**
 * The home's own pair, made once, however many launches need it at the same time.
 *
 * @throws LaunchError COMMAND_MISSING, COMMAND_FAILED, DISK_FULL, PERMISSION_DENIED
 */
export async function ensureHomeKey(host: Host, maker: Maker, work: Work): Promise<SeedKeys> {
  const lock = await takeLock(host.home.lock('keys'), { work });
  try {
    const found = await findHomeKey(host);
    if (!found.toBeMade) return found;
    await makeHomeKey(host, maker, work);
    work.onEvent?.({
      type: 'notice',
      message: `no ssh key of yours was found, so one was made for this home: ${homeKeyOf(host)}`,
    });
    return await findHomeKey(host);
  } finally {
    await lock.release({ remove: true });
  }
}

/** Both files at once, by renaming their directory. */
async function makeHomeKey(host: Host, maker: Maker, work: Work): Promise<void> {
  const { keys, root } = host.home;
  await ensureDirectory(root);
  const temporary = maker.temporaryPath(keys);
  try {
    await mkdir(temporary, { mode: 0o700 });
    const file = join(temporary, 'id_ed25519');
    const result = await host.runner.run(
      'ssh-keygen',
      ['-q', '-t', 'ed25519', '-N', '', '-C', 'launch', '-f', file],
      { signal: work.signal, timeoutMs: 60_000 },
    );
    if (result.exitCode !== 0) {
      throw new LaunchError(
        'COMMAND_FAILED',
        `cannot make an ssh key: ${complaintOf('ssh-keygen', result)}`,
        { hint: 'name one of yours:  --key FILE' },
      );
    }
    await rename(temporary, keys);
  } catch (error) {
    await removeTree(temporary);
    throw fileSystemError('make the directory', keys, error);
  }
}
