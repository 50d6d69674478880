import { constants, open } from 'node:fs/promises';
import { LaunchError, type LaunchErrorCode } from '../../host/launch-error.js';
import { errnoOf } from '../../host/system-error.js';
import { quote, shellWord } from './quote.js';

/** Bytes at positions. `read` returns fewer bytes than asked for only where the source ends. */
export interface ByteSource {
  readonly lengthBytes: number;
  read(offset: number, length: number): Promise<Buffer>;
}

const mebibyte = 1024 * 1024;

/** The largest table that a check reads at once; of a larger one it reads the beginning. */
export const largestReadBytes = mebibyte;

/** Over this a check reads too much: a bug of ours, whatever the file says. */
const readBudgetBytes = 8 * mebibyte;

/**
 * A stranger's file under inspection. Every read is checked against the file's length and counted, so no
 * offset, length or count of a header can make a check read, allocate or loop without bound.
 */
export class ImageFile {
  readonly name: string;
  readonly lengthBytes: number;
  readonly #source: ByteSource;
  #bytesRead = 0;

  /** @param name What messages quote and hints write into commands. */
  constructor(name: string, source: ByteSource) {
    this.name = name;
    this.lengthBytes = source.lengthBytes;
    this.#source = source;
  }

  /** What there is of the range: shorter, or empty, where the file ends before. */
  async available(offset: number, length: number): Promise<Buffer> {
    if (!(offset >= 0 && offset < this.lengthBytes)) return Buffer.alloc(0);
    const wanted = Math.min(length, this.lengthBytes - offset);
    this.#bytesRead += wanted;
    if (wanted > largestReadBytes || this.#bytesRead > readBudgetBytes) {
      throw new Error(
        `header check of ${quote(this.name)} reads without bound (${wanted} bytes at ${offset})`,
      );
    }
    const bytes = await this.#source.read(offset, wanted);
    if (bytes.length === wanted) return bytes;
    throw this.refusal('IMAGE_UNREADABLE', 'it became shorter while it was read', {
      hint: 'wait until whatever writes it is done, then try again',
    });
  }

  /** The whole range. @throws LaunchError IMAGE_TRUNCATED if the file ends before. */
  async part(what: string, offset: number, length: number): Promise<Buffer> {
    this.requirePart(what, offset, length);
    return this.available(offset, length);
  }

  /** @throws LaunchError IMAGE_TRUNCATED unless the range lies in the file; reads nothing. */
  requirePart(what: string, offset: number, length: number): void {
    if (offset >= 0 && length >= 0 && offset + length <= this.lengthBytes) return;
    throw this.refusal(
      'IMAGE_TRUNCATED',
      `its ${what} should be at bytes ${offset} to ${offset + length}, but the file has ${this.lengthBytes}`,
      { details: { offset, lengthBytes: length, fileLengthBytes: this.lengthBytes } },
    );
  }

  /** The error to throw: `refused "evil.qcow2": <reason>`, with the code's usual hint unless another is given. */
  refusal(
    code: LaunchErrorCode,
    reason: string,
    options: { hint?: string; details?: Readonly<Record<string, unknown>> } = {},
  ): LaunchError {
    return new LaunchError(code, `refused ${quote(this.name)}: ${reason}`, {
      hint: options.hint ?? usualHint(code, this.name),
      details: options.details,
    });
  }
}

function usualHint(code: LaunchErrorCode, name: string): string | undefined {
  const word = shellWord(name);
  const hints: Partial<Record<LaunchErrorCode, string>> = {
    IMAGE_BACKING_FILE: `flatten it where it was made:  qemu-img convert -O qcow2 ${word} flat.qcow2`,
    IMAGE_EXTERNAL_DATA: `flatten it where it was made:  qemu-img convert -O qcow2 ${word} flat.qcow2`,
    IMAGE_ENCRYPTED:
      'decrypt it where its passphrase is known, with qemu-img convert into a file without encryption',
    IMAGE_FEATURE_UNKNOWN: `convert it where it was made:  qemu-img convert -O qcow2 ${word} new.qcow2`,
    IMAGE_TRUNCATED: 'download or copy it again, and compare its length and digest with what its source says',
    IMAGE_CORRUPT: `download or copy it again; if it is the same at its source, check it there:  qemu-img check ${word}`,
    IMAGE_FORMAT_AMBIGUOUS:
      'no ordinary tool makes such a file: do not use it, get the image from a source you trust',
  };
  return hints[code];
}

/**
 * Opens a regular file for the time of one inspection. A symbolic link, a pipe or a device is refused:
 * a name that can be pointed elsewhere is not what was checked.
 *
 * @throws LaunchError IMAGE_UNREADABLE
 */
export async function withImageFile<T>(
  path: string,
  name: string,
  inspect: (file: ImageFile) => Promise<T>,
): Promise<T> {
  // O_NONBLOCK, or opening a pipe would wait for its writer.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const opened = await open(path, flags).catch((error: unknown) => {
    throw unreadable(name, openFailure(error), error);
  });
  try {
    const stat = await opened.stat();
    if (!stat.isFile()) throw unreadable(name, 'it is not a regular file');
    const source: ByteSource = {
      lengthBytes: stat.size,
      read: async (offset, length) => {
        const bytes = Buffer.alloc(length);
        let done = 0;
        while (done < length) {
          const { bytesRead } = await opened
            .read(bytes, done, length - done, offset + done)
            .catch((error: unknown) => {
              throw unreadable(name, `reading failed (${errnoOf(error) ?? 'unknown error'})`, error);
            });
          if (bytesRead === 0) break;
          done += bytesRead;
        }
        return bytes.subarray(0, done);
      },
    };
    return await inspect(new ImageFile(name, source));
  } finally {
    await opened.close();
  }
}

function unreadable(name: string, reason: string, cause?: unknown): LaunchError {
  return new LaunchError('IMAGE_UNREADABLE', `cannot read ${quote(name)}: ${reason}`, { cause });
}

function openFailure(error: unknown): string {
  switch (errnoOf(error)) {
    case 'ENOENT':
      return 'no such file';
    case 'EACCES':
      return 'permission denied';
    case 'ELOOP':
      return 'it is a symbolic link';
    case 'ENXIO':
      return 'it is not a regular file';
    case undefined:
      return 'it could not be opened';
    default:
      return errnoOf(error) ?? 'it could not be opened';
  }
}
