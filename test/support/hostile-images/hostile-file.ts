import type { LaunchErrorCode } from '../../../src/host/launch-error.js';
import type { DiskFormat } from '../../../src/qemu-img/disk-format.js';

/** A file that must be refused. */
export interface HostileFile {
  readonly name: string;
  readonly bytes: () => Buffer;
  readonly code: LaunchErrorCode;
  readonly declaredFormat?: DiskFormat;
  /** What the message must say. */
  readonly says?: string;
}
