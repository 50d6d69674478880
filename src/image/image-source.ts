import { constants, createReadStream, openSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { basename, resolve } from 'node:path';
import { LaunchError } from '../host/launch-error.js';
import { errnoOf, fileSystemError } from '../host/system-error.js';
import { download, type Fetching } from './fetch/download.js';
import { parseRemoteLocation } from './fetch/remote-location.js';

/** A file by its path, bytes as they come with what to call them, or a URL. */
export type ImageSource =
  | { readonly path: string }
  | { readonly stream: AsyncIterable<Uint8Array>; readonly displayName: string }
  | { readonly url: string; readonly allowHttp?: boolean | undefined };

/** A source that can be read; a URL again and again, when a pass came to nothing. */
export interface OpenSource {
  /** What messages quote. */
  readonly displayName: string;
  /** For the record: a path, `standard input`, or a URL without its secrets. */
  readonly origin: string;
  /** How a list of checksums calls it. */
  readonly fileName: string;
  readonly isRemote: boolean;
  /** Of a regular file. */
  readonly file:
    { readonly path: string; readonly lengthBytes: number; readonly allocatedBytes: number } | undefined;
  read(pass: ReadPass): AsyncIterable<Uint8Array>;
}

interface ReadPass {
  readonly signal: AbortSignal;
  readonly onLength: (totalBytes: number) => void;
  readonly onRetry: (reason: string, delayMs: number) => void;
}

/** @throws LaunchError IMAGE_UNREADABLE, ARGUMENT_INVALID */
export async function openSource(source: ImageSource, fetching: Fetching): Promise<OpenSource> {
  if ('url' in source) {
    const { allowHttp } = source;
    const location = parseRemoteLocation(source.url, { allowHttp });
    return {
      displayName: location.fileName === '' ? location.shown : location.fileName,
      origin: location.shown,
      fileName: location.fileName,
      isRemote: true,
      file: undefined,
      read: (pass) => download(location, fetching, { ...pass, allowHttp }),
    };
  }
  if ('stream' in source) {
    const { displayName } = source;
    const rest = { isRemote: false, file: undefined, read: () => source.stream };
    return { displayName, origin: displayName, fileName: displayName, ...rest };
  }
  return await openFile(source.path);
}

async function openFile(path: string): Promise<OpenSource> {
  const found = await stat(path).catch((error: unknown) => {
    throw sourceError(path, error);
  });
  if (found.isDirectory()) {
    throw new LaunchError('IMAGE_UNREADABLE', `cannot import "${path}": it is a directory`);
  }
  return {
    displayName: basename(path),
    origin: resolve(path),
    fileName: basename(path),
    isRemote: false,
    file: found.isFile() ? { path, lengthBytes: found.size, allocatedBytes: found.blocks * 512 } : undefined,
    read: ({ onLength }) => {
      if (found.isFIFO()) return openPipe(path);
      if (found.isFile()) onLength(found.size);
      const stream = createReadStream(path, { highWaterMark: 1024 * 1024 });
      return withSourceErrors(stream as AsyncIterable<Uint8Array>, path);
    },
  };
}

/**
 * A named pipe, or a shell's `<(command)`, whose writer may not be there yet. As a file, its opening would take a
 * thread until it comes, and no signal could end the wait, nor the process.
 */
function openPipe(path: string): AsyncIterable<Uint8Array> {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return new Socket({ fd, readable: true, writable: false }) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw sourceError(path, error);
  }
}

async function* withSourceErrors(
  stream: AsyncIterable<Uint8Array>,
  path: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* stream;
  } catch (error) {
    throw sourceError(path, error);
  }
}

function sourceError(path: string, error: unknown): Error {
  const errno = errnoOf(error);
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    return new LaunchError('IMAGE_UNREADABLE', `cannot import "${path}": there is no such file`, {
      cause: error,
    });
  }
  return fileSystemError('read', path, error);
}
