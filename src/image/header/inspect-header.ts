import { basename } from 'node:path';
import { isDiskFormat, type DiskFormat } from '../../qemu-img/disk-format.js';
import { foreignRefusal } from './foreign.js';
import type { FormatCheck } from './format-check.js';
import { withImageFile, type ImageFile } from './image-file.js';
import { checkQcow2 } from './qcow2.js';
import { describeBytes } from './quote.js';
import { checkRaw } from './raw.js';
import { findSignatures, type DetectedFormat } from './signature.js';
import { checkVdi } from './vdi.js';
import { checkVhdx } from './vhdx.js';
import { checkVmdk } from './vmdk.js';
import { checkVpc } from './vpc.js';

/** What an image's header says, once it has passed. */
export interface HeaderReport {
  readonly format: DiskFormat;
  /** The size that the guest sees, as QEMU counts it. Raw: the file's length, rounded up to 512. */
  readonly virtualSizeBytes: number;
  /** Undefined where the header does not tell. */
  readonly compressed: boolean | undefined;
  /** For people: `qcow2, 2 GiB virtual, version 3, no backing file, no external data`. */
  readonly description: string;
}

export interface InspectHeaderOptions {
  /** What the user, or the image's source, says that it is. */
  readonly declaredFormat?: DiskFormat | undefined;
  /** What messages quote, where the path is a temporary one. */
  readonly displayName?: string | undefined;
}

/**
 * Checks a stranger's image by reading its headers, before qemu-img sees it. What passes names no other
 * file, is one format only, and is the declared one; its tables lie in the file. That its data is sound is
 * for `qemu-img check` to say.
 *
 * @throws LaunchError IMAGE_UNREADABLE, IMAGE_EMPTY, IMAGE_TRUNCATED, IMAGE_CORRUPT, IMAGE_FORMAT_UNKNOWN,
 *   IMAGE_FORMAT_MISMATCH, IMAGE_FORMAT_AMBIGUOUS, IMAGE_FORMAT_BANNED, IMAGE_BACKING_FILE,
 *   IMAGE_EXTERNAL_DATA, IMAGE_ENCRYPTED, IMAGE_FEATURE_UNKNOWN, IMAGE_TOO_LARGE
 */
export async function inspectHeader(path: string, options: InspectHeaderOptions = {}): Promise<HeaderReport> {
  const name = options.displayName ?? basename(path);
  return withImageFile(path, name, (file) => inspectImageFile(file, options.declaredFormat));
}

/** What the first bytes (and the last, for VHD) say, without judging: the first signature found, or raw. */
export async function detectFormat(path: string): Promise<DetectedFormat> {
  return withImageFile(path, path, async (file) => (await findSignatures(file))[0] ?? 'raw');
}

/** @see inspectHeader, which opens the file. */
export async function inspectImageFile(
  file: ImageFile,
  declaredFormat: DiskFormat | undefined,
): Promise<HeaderReport> {
  if (file.lengthBytes === 0) {
    throw file.refusal('IMAGE_EMPTY', 'it has 0 bytes', { hint: 'download or copy it again' });
  }
  const found = await findSignatures(file);
  const [signature = 'raw', ...others] = found;
  if (others.length > 0) {
    throw file.refusal(
      'IMAGE_FORMAT_AMBIGUOUS',
      `it is valid as more than one format (${found.join(' and ')}), so whoever opens it may see another disk than was checked`,
      { details: { formats: found } },
    );
  }
  const format = importableFormat(file, signature);
  if (declaredFormat !== undefined && declaredFormat !== format) {
    throw file.refusal('IMAGE_FORMAT_MISMATCH', `it was declared as ${declaredFormat}, but it is ${format}`, {
      hint:
        format === 'raw'
          ? `it has no signature of ${declaredFormat}: if it is a raw disk, declare it as raw; if not, it is damaged, download or copy it again`
          : `declare it as ${format}, if that is what you expect of its source`,
      details: { declaredFormat, format },
    });
  }
  const check: FormatCheck =
    format === 'raw' ? (raw) => checkRaw(raw, signature === 'iso') : formatChecks[format];
  const { virtualSizeBytes, compressed, facts } = await check(file);
  const description = [format, `${describeBytes(virtualSizeBytes)} virtual`, ...facts].join(', ');
  return { format, virtualSizeBytes, compressed, description };
}

const formatChecks: Readonly<Record<Exclude<DiskFormat, 'raw'>, FormatCheck>> = {
  qcow2: checkQcow2,
  vmdk: checkVmdk,
  vdi: checkVdi,
  vpc: checkVpc,
  vhdx: checkVhdx,
};

function importableFormat(file: ImageFile, signature: DetectedFormat): DiskFormat {
  // A CD, also one with a boot sector for USB sticks: QEMU reads it as raw.
  if (signature === 'iso') return 'raw';
  if (isDiskFormat(signature)) return signature;
  throw foreignRefusal(file, signature);
}
