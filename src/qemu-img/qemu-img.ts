import * as v from 'valibot';
import { complaintOf, type CommandOptions, type CommandRunner } from '../host/command.js';
import { LaunchError, type LaunchErrorCode } from '../host/launch-error.js';
import { checkInterrupted, type Work } from '../host/work.js';

/**
 * What `qemu-img info --output=json` says of one file (QEMU's qapi/block-core.json, ImageInfo). All
 * fields used here exist since QEMU 2.0 at the latest; unknown ones are ignored, since QEMU adds more.
 */
const imageInfoSchema = v.object({
  format: v.string(),
  'virtual-size': v.number(),
  'actual-size': v.optional(v.number()),
  'cluster-size': v.optional(v.number()),
  encrypted: v.optional(v.boolean()),
  'backing-filename': v.optional(v.string()),
  'full-backing-filename': v.optional(v.string()),
  'backing-filename-format': v.optional(v.string()),
  'dirty-flag': v.optional(v.boolean()),
  'format-specific': v.optional(
    v.object({ data: v.optional(v.looseObject({ 'extended-l2': v.optional(v.boolean()) })) }),
  ),
});

/** Sizes in bytes. */
export interface DiskInspection {
  readonly path: string;
  readonly format: string;
  readonly virtualSizeBytes: number;
  /** What the file uses on the host. */
  readonly allocatedBytes: number;
  readonly clusterSizeBytes: number | undefined;
  readonly extendedL2: boolean;
  readonly encrypted: boolean;
  readonly backingPath: string | undefined;
  /** The format written down in the overlay; undefined when nobody wrote it. */
  readonly backingFormat: string | undefined;
}

const mapSchema = v.array(
  v.object({
    start: v.number(),
    length: v.number(),
    depth: v.number(),
    zero: v.boolean(),
    data: v.boolean(),
    offset: v.optional(v.number()),
    present: v.optional(v.boolean()),
  }),
);

/** One run of bytes that are alike; `depth` 0 is the file itself, 1 its backing file. */
export interface Extent {
  readonly startBytes: number;
  readonly lengthBytes: number;
  readonly depth: number;
  readonly zero: boolean;
  readonly data: boolean;
  /** Where in the file of that depth it lies as it is; absent when it is compressed, or nowhere. */
  readonly offsetBytes?: number;
}

/** Ways to take an overlay's space at once. */
export type Preallocation = 'metadata' | 'falloc' | 'full';

export const preallocations: readonly Preallocation[] = ['metadata', 'falloc', 'full'];

export interface OverlayOptions {
  readonly basePath: string;
  readonly baseFormat: string;
  readonly virtualSizeBytes: number;
  readonly preallocation?: Preallocation | undefined;
}

/** Limits for reading a file that came from outside (CVE-2015-5162: 30 s and 2 GiB were enough). */
const strangerLimits = {
  timeoutMs: 60_000,
  maximumCpuSeconds: 30,
  maximumMemoryBytes: 2 * 1024 ** 3,
} as const satisfies CommandOptions;

/** The only caller of qemu-img. The format is always given: QEMU never probes. */
export class QemuImg {
  /** Trying costs nothing where it works, and asking first would cost every launch a process. */
  #subclusters = true;

  constructor(private readonly runner: CommandRunner) {}

  /** What one file says of itself; the backing file is named, not opened. Works on a running guest's disk. */
  async inspect(path: string, format: string, work: Work = {}): Promise<DiskInspection> {
    // Reading the chain would open whatever a header names; --image-opts would let a path be an option.
    const stdout = await this.#run(
      'inspect',
      path,
      ['info', '--output=json', '--force-share', '-f', format, fileName(path)],
      { ...strangerLimits, signal: work.signal },
    );
    const info = v.parse(imageInfoSchema, JSON.parse(stdout));
    return {
      path,
      format: info.format,
      virtualSizeBytes: info['virtual-size'],
      allocatedBytes: info['actual-size'] ?? 0,
      clusterSizeBytes: info['cluster-size'],
      extendedL2: info['format-specific']?.data?.['extended-l2'] ?? false,
      encrypted: info.encrypted ?? false,
      backingPath: info['full-backing-filename'] ?? info['backing-filename'],
      backingFormat: info['backing-filename-format'],
    };
  }

  /** Which bytes come from where. The backing chain is opened when the file has one. */
  async map(path: string, format: string, work: Work = {}): Promise<readonly Extent[]> {
    const stdout = await this.#run(
      'map',
      path,
      ['map', '--output=json', '--force-share', '-f', format, fileName(path)],
      { ...strangerLimits, signal: work.signal },
    );
    return v.parse(mapSchema, JSON.parse(stdout)).map((extent) => ({
      startBytes: extent.start,
      lengthBytes: extent.length,
      depth: extent.depth,
      zero: extent.zero,
      data: extent.data,
      ...(extent.offset === undefined ? {} : { offsetBytes: extent.offset }),
    }));
  }

  /**
   * Follows every reference of the format's tables; a format without a check passes.
   *
   * @throws LaunchError IMAGE_CORRUPT when content is missing or claimed twice
   */
  async check(path: string, format: string, work: Work = {}): Promise<void> {
    const args = ['check', '-q', '--force-share', '-f', format, fileName(path)];
    const result = await this.runner.run('qemu-img', args, { ...strangerLimits, signal: work.signal });
    // 0 is clean, 3 means clusters that nothing refers to, 63 that the format knows no check.
    if ([0, 3, 63].includes(result.exitCode)) return;
    const damage = complaintOf('qemu-img', result);
    throw new LaunchError('IMAGE_CORRUPT', `"${path}" is damaged: ${damage}`, {
      details: { damage, command: ['qemu-img', ...args], exitCode: result.exitCode, stderr: result.stderr },
    });
  }

  /**
   * Writes the whole content into a new file. The kernel ends it with us, so that a killed launch leaves
   * no process that goes on writing.
   */
  async convert(
    from: { readonly path: string; readonly format: string },
    to: {
      readonly path: string;
      readonly format: string;
      readonly compressed?: boolean;
      /** For `-o`. */
      readonly creation?: string;
    },
    work: Work & { readonly onRatio?: (ratio: number) => void } = {},
  ): Promise<void> {
    const { onRatio } = work;
    await this.#run(
      'convert',
      from.path,
      // Sixteen coroutines and writes out of order keep both ends busy; safe, since the target is a new
      // file that nobody sees before it was synced and renamed.
      // prettier-ignore
      ['convert', '-p', '-f', from.format, '-O', to.format, '-m', '16',
        // QEMU compresses in order only.
        to.compressed === true ? '-c' : '-W', ...(to.creation === undefined ? [] : ['-o', to.creation]),
        fileName(from.path), fileName(to.path)],
      {
        signal: work.signal,
        dieWithParent: true,
        maximumMemoryBytes: strangerLimits.maximumMemoryBytes,
        ...(onRatio === undefined ? {} : { onStdout: ratioReader(onRatio) }),
      },
    );
  }

  /** Changes what a guest would see of the size; a file that grows reads as zeros there. */
  async resize(path: string, format: string, virtualSizeBytes: number, work: Work = {}): Promise<void> {
    await this.#run('resize', path, ['resize', '-q', '-f', format, fileName(path), `${virtualSizeBytes}`], {
      signal: work.signal,
      dieWithParent: true,
    });
  }

  /**
   * An overlay whose backing format is written down, so that no one ever has to guess it, with subclusters
   * where this QEMU has them (5.2 and later): a first write of 4 KiB then neither reads nor writes the rest
   * of its cluster (docs/performance.md). Clusters are 64 KiB, QEMU's default and Nova's, up to the size
   * whose tables QEMU's cache of 32 MiB holds; beyond it they are 128 KiB, with half the tables.
   */
  async createOverlay(path: string, options: OverlayOptions, work: Work = {}): Promise<void> {
    // QEMU preallocates behind a backing file only with subclusters, which can be allocated but unwritten.
    const required = options.preallocation !== undefined;
    if (!required && !this.#subclusters) {
      await this.#createOverlay(path, options, work);
      return;
    }
    const layout = [
      'extended_l2=on',
      ...(options.virtualSizeBytes > cachedBytes ? ['cluster_size=128k'] : []),
    ];
    try {
      await this.#createOverlay(path, options, work, ...layout);
    } catch (error) {
      if (required || !refusesOption(error, 'extended_l2')) throw error;
      this.#subclusters = false;
      await this.#createOverlay(path, options, work);
    }
  }

  async #createOverlay(
    path: string,
    options: OverlayOptions,
    work: Work,
    ...layout: readonly string[]
  ): Promise<void> {
    const creation = [
      `backing_file=${optionValue(options.basePath)}`,
      `backing_fmt=${options.baseFormat}`,
      ...layout,
      ...(options.preallocation === undefined ? [] : [`preallocation=${options.preallocation}`]),
    ];
    await this.#run(
      'create',
      path,
      // prettier-ignore
      ['create', '-q', '-f', 'qcow2', '-o', creation.join(','), fileName(path), `${options.virtualSizeBytes}`],
      { signal: work.signal, dieWithParent: true },
    );
  }

  async #run(
    action: string,
    path: string,
    args: readonly string[],
    options: CommandOptions,
  ): Promise<string> {
    const result = await this.runner.run('qemu-img', args, options);
    if (result.exitCode === 0) return result.stdout;
    // A command that ended because we were asked to end is not the command's failure.
    if (options.signal !== undefined) checkInterrupted({ signal: options.signal });
    const complaint = complaintOf('qemu-img', result);
    const { code, hint } = reasonOf(result.stderr);
    throw new LaunchError(code, `cannot ${action} "${path}": qemu-img says: ${complaint}`, {
      hint,
      details: { command: ['qemu-img', ...args], exitCode: result.exitCode, stderr: result.stderr },
    });
  }
}

/** What QEMU's default `l2-cache-size` reaches over with an entry of 16 bytes for each 64 KiB. */
const cachedBytes = (2 ** 25 / 16) * 2 ** 16;

/** Whether qemu-img does not know an option of a format; its words, as in `Invalid parameter 'extended_l2'`. */
function refusesOption(error: unknown, option: string): boolean {
  if (!(error instanceof LaunchError) || error.code !== 'COMMAND_FAILED') return false;
  return new RegExp(`(parameter|option) '${option}'`).test(String(error.details?.['stderr']));
}

/** What a failure comes down to where that is the host's state and not the file's. */
function reasonOf(stderr: string): { readonly code: LaunchErrorCode; readonly hint?: string } {
  if (/No space left on device|Disk quota exceeded/.test(stderr)) {
    return { code: 'DISK_FULL', hint: 'see where the space is:  launch df' };
  }
  if (/File too large|SIGXFSZ/.test(stderr)) {
    return {
      code: 'FILE_SYSTEM',
      hint: 'the file system, or a limit (ulimit -f), allows no file of that size',
    };
  }
  return { code: 'COMMAND_FAILED' };
}

/** A path that starts with a dash or looks like `nbd:…` must stay a path. */
function fileName(path: string): string {
  return path.startsWith('/') ? path : `./${path}`;
}

/** In `-o` lists a comma is written twice. */
function optionValue(text: string): string {
  return text.replaceAll(',', ',,');
}

/** qemu-img -p prints `    (12.34/100%)\r`, in pieces of any length. */
function ratioReader(onRatio: (ratio: number) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    rest += chunk;
    const found = [...rest.matchAll(/\((\d+(?:\.\d+)?)\/100%\)/g)].at(-1);
    if (found === undefined) return;
    rest = rest.slice(found.index + found[0].length);
    onRatio(Number(found[1]) / 100);
  };
}
