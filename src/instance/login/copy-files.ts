import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, posix, resolve } from 'node:path';
import {
  parseSentHeader,
  receiveFileScript,
  receiveTreeScript,
  sendScript,
  type SentHeader,
} from '../../guest/ssh/copy-scripts.js';
import { filterThroughCommand } from '../../host/command-filter.js';
import { LaunchError } from '../../host/launch-error.js';
import { fileSystemError } from '../../host/system-error.js';
import { runStep, type Work } from '../../host/work.js';
import { ChunkReader } from '../../image/unpack/chunk-reader.js';
import { getInstance } from '../find-instance.js';
import { openGuestLogin, type GuestLogin, type LoginRequest } from './guest-login.js';
import type { Host } from '../open-host.js';
import { receiveFile } from './receive-file.js';
import { receiveTree, receivingPath } from './receive-tree.js';
import { prepareSsh } from './ssh-session.js';

/** A path on this host, or in a guest: from the login user's home directory where it is relative. */
export type CopyPlace =
  | { readonly kind: 'host'; readonly path: string }
  | { readonly kind: 'guest'; readonly instance: string; readonly path: string };

export interface CopyRequest extends Omit<LoginRequest, 'action'> {
  readonly source: CopyPlace;
  /** A directory takes the source under its own name, as with cp. */
  readonly target: CopyPlace;
  /** Directories too. */
  readonly recursive: boolean;
}

export interface CopiedFiles {
  readonly kind: 'file' | 'tree';
  /** Of the file, or of the archive that the tree travelled as. */
  readonly bytes: number;
  /** Names of a tree from a guest that were not made here, each with the reason. */
  readonly leftOut: readonly string[];
}

/** What is to be copied, as it comes. */
interface Source {
  readonly name: string;
  readonly header: SentHeader;
  readonly content: AsyncIterable<Uint8Array>;
  /** Looks whether all of it came. */
  check(): Promise<void>;
  /** Ends what gives it, whether all was taken or not. */
  close(): Promise<void>;
}

type Content = Pick<Source, 'name' | 'header' | 'content'>;

/**
 * Copies a file or a tree between this host and a guest, or from one guest to another through this host. It
 * goes through ssh and the guest's own sh, cat and tar.
 *
 * @throws LaunchError COPY_FAILED with the guest's words, SSH_…, ARGUMENT_INVALID, INTERRUPTED
 */
export async function copyFiles(host: Host, request: CopyRequest, work: Work = {}): Promise<CopiedFiles> {
  const { source, target } = request;
  if (source.kind === 'host' && target.kind === 'host') {
    throw new LaunchError('ARGUMENT_INVALID', 'neither of them is in a guest', {
      hint: 'a path in a guest is NAME:PATH; for two on this host there is cp',
    });
  }
  // One after the other: both may ask for a passphrase.
  const from = source.kind === 'guest' ? await logIn(host, source.instance, request, work) : undefined;
  const to = target.kind === 'guest' ? await logIn(host, target.instance, request, work) : undefined;
  return await runStep(
    work,
    'copied',
    show(source),
    async (progress) => {
      const opened =
        from === undefined
          ? await openLocal(source.path, request)
          : await openRemote(host, from, source.path, request.recursive, work);
      try {
        const { name, header } = opened;
        let bytes = 0;
        const total = header.kind === 'file' ? header.sizeBytes : undefined;
        const content = count(opened.content, (more) => {
          bytes += more;
          progress(show(source), bytes, total);
        });
        const leftOut =
          to === undefined
            ? await writeLocal(target.path, { name, header, content })
            : await writeRemote(host, to, target.path, { name, header, content }, work);
        await opened.check();
        return { kind: header.kind, bytes, leftOut };
      } finally {
        await opened.close();
      }
    },
    () => `${show(source)} to ${show(target)}`,
  );
}

async function logIn(host: Host, reference: string, request: CopyRequest, work: Work): Promise<GuestLogin> {
  const instance = await getInstance(host, reference);
  const { user, identityFile, batch, timeoutMs } = request;
  return await openGuestLogin(host, instance, {
    action: 'copy with',
    ...{ user, identityFile, batch, timeoutMs, work },
  });
}

async function openLocal(path: string, { recursive }: CopyRequest): Promise<Source> {
  const found = await stat(path).catch((error: unknown) => {
    throw fileSystemError('read', path, error);
  });
  const name = /(^|\/)\.{0,2}\/*$/.test(path) ? '.' : basename(resolve(path));
  if (found.isDirectory()) {
    if (!recursive) throw isDirectory(path);
    return { ...{ name, header: { kind: 'tree' }, content: packTree(path) }, check: done, close: done };
  }
  return {
    ...{ name, check: done, close: done },
    header: {
      kind: 'file',
      // A pipe has no size to know before its end.
      sizeBytes: found.isFile() ? found.size : undefined,
      executable: found.isFile() && (found.mode & 0o111) !== 0,
    },
    content: readLocal(path),
  };
}

async function done(): Promise<void> {
  // What reads a local file ends with whoever takes it.
}

async function* readLocal(path: string): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const piece of createReadStream(path)) yield piece as Buffer;
  } catch (error) {
    throw fileSystemError('read', path, error);
  }
}

/** Owned by whoever unpacks it: the numbers of this host's users mean nothing in a guest. */
function packTree(path: string): AsyncIterable<Uint8Array> {
  const owner = ['--owner=0', '--group=0', '--numeric-owner'];
  return filterThroughCommand(['tar', '-C', resolve(path), ...owner, '-cf', '-', '.'], nothing());
}

async function openRemote(
  host: Host,
  login: GuestLogin,
  path: string,
  recursive: boolean,
  work: Work,
): Promise<Source> {
  const marker = `launch-copy-${randomBytes(8).toString('hex')}`;
  const ssh = await prepareSsh(host, login, { remote: sendScript(path, marker), extra: ['-T'] });
  const stream = filterThroughCommand(ssh.command, nothing(), { signal: work.signal });
  const failed = async (error: unknown): Promise<never> => {
    await ssh.check();
    throw copyError(login, error);
  };
  const close = async () => {
    await stream.return();
    await ssh.close();
  };
  const reader = new ChunkReader(guarded(stream, failed));
  try {
    const header = await readHeader(reader, marker, login);
    if (header.kind === 'tree' && !recursive) throw isDirectory(path);
    let came = 0;
    const content = count(reader.remaining(), (more) => (came += more));
    return {
      name: nameOf(path),
      header,
      content,
      check: async () => {
        // The command's own end is seen by reading to the end of what it says.
        for await (const rest of reader.remaining()) came += rest.length;
        const expected = header.kind === 'file' ? header.sizeBytes : undefined;
        if (expected !== undefined && came < expected) {
          throw copyError(login, new Error(`only ${came} of ${expected} bytes came`));
        }
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const maximumProfileBytes = 64 * 1024;

/** Finds our line behind what the guest's profile may have printed. */
async function readHeader(reader: ChunkReader, marker: string, login: GuestLogin): Promise<SentHeader> {
  let line = '';
  for (let seen = 0; seen < maximumProfileBytes; seen += 1) {
    const character = (await reader.read(1)).toString('latin1');
    if (character === '') break;
    if (character !== '\n') {
      line += character;
      continue;
    }
    const header = parseSentHeader(line.slice(Math.max(0, line.indexOf(marker))), marker);
    if (header !== undefined) return header;
    line = '';
  }
  throw copyError(login, new Error('its shell does not do as asked'));
}

async function writeLocal(path: string, source: Content): Promise<readonly string[]> {
  const target = await receivingPath(path, source.name);
  if (source.header.kind === 'tree') return (await receiveTree(source.content, target)).leftOut;
  await receiveFile(source.content, target, { executable: source.header.executable });
  return [];
}

async function writeRemote(
  host: Host,
  login: GuestLogin,
  path: string,
  source: Content,
  work: Work,
): Promise<readonly string[]> {
  const { name, header, content } = source;
  const remote =
    header.kind === 'tree'
      ? receiveTreeScript(path, { name })
      : receiveFileScript(path, { name, executable: header.executable });
  const ssh = await prepareSsh(host, login, { remote, extra: ['-T'] });
  try {
    for await (const said of filterThroughCommand(ssh.command, content, { signal: work.signal })) {
      // What a profile prints is nothing to us.
      if (said.length === 0) break;
    }
    return [];
  } catch (error) {
    if (error instanceof LaunchError && error.code === 'COMMAND_FAILED') await ssh.check();
    throw copyError(login, error);
  } finally {
    await ssh.close();
  }
}

async function* guarded(
  stream: AsyncIterable<Buffer>,
  failed: (error: unknown) => Promise<never>,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* stream;
  } catch (error) {
    await failed(error);
  }
}

async function* count(
  stream: AsyncIterable<Uint8Array>,
  tell: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of stream) {
    tell(piece.byteLength);
    yield piece;
  }
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {
  // There is no input.
}

/** Under which name a path in a guest goes into a directory; `.` for its content alone. */
function nameOf(path: string): string {
  const name = posix.basename(path);
  return name === '' || name === '..' || name === '~' ? '.' : name;
}

function isDirectory(path: string): LaunchError {
  return new LaunchError('ARGUMENT_INVALID', `"${path}" is a directory`, {
    hint: 'with all that is in it:  launch cp -r …',
  });
}

function copyError({ instance }: GuestLogin, error: unknown): unknown {
  if (error instanceof LaunchError && error.code !== 'COMMAND_FAILED') return error;
  const reason = error instanceof LaunchError ? error.details?.['reason'] : messageOf(error);
  return new LaunchError('COPY_FAILED', `cannot copy with ${instance.domainName}: ${String(reason)}`, {
    details: { domainName: instance.domainName },
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function show(place: CopyPlace): string {
  return place.kind === 'host' ? place.path : `${place.instance}:${place.path}`;
}
