/**
 * Every way in which `launch` refuses or fails on purpose. The code is part of the interface: programs
 * may test for it, and it is printed by `--format json`.
 */
export type LaunchErrorCode =
  // what was asked for
  | 'ARGUMENT_INVALID'
  | 'NAME_INVALID'
  | 'IMAGE_NOT_FOUND'
  | 'IMAGE_AMBIGUOUS'
  | 'IMAGE_EXISTS'
  | 'IMAGE_IN_USE'
  | 'FLAVOR_NOT_FOUND'
  | 'FLAVOR_EXISTS'
  | 'FLAVOR_INVALID'
  | 'FLAVOR_TOO_SMALL'
  | 'INSTANCE_NOT_FOUND'
  | 'INSTANCE_AMBIGUOUS'
  | 'INSTANCE_STATE'
  | 'DOMAIN_NOT_FOUND'
  | 'GRAPHICS_NOT_FOUND'
  | 'NETWORK_NOT_FOUND'
  | 'ADDRESS_INVALID'
  | 'ADDRESS_IN_USE'
  | 'PORT_IN_USE'
  | 'TEMPLATE_NOT_FOUND'
  | 'TEMPLATE_INVALID'
  // an image from outside
  | 'IMAGE_UNREADABLE'
  | 'IMAGE_EMPTY'
  | 'IMAGE_TRUNCATED'
  | 'IMAGE_CORRUPT'
  | 'IMAGE_FORMAT_UNKNOWN'
  | 'IMAGE_FORMAT_MISMATCH'
  | 'IMAGE_FORMAT_AMBIGUOUS'
  | 'IMAGE_FORMAT_BANNED'
  | 'IMAGE_BACKING_FILE'
  | 'IMAGE_EXTERNAL_DATA'
  | 'IMAGE_ENCRYPTED'
  | 'IMAGE_FEATURE_UNKNOWN'
  | 'IMAGE_TOO_LARGE'
  | 'IMAGE_DIGEST_MISMATCH'
  | 'IMAGE_CHECKSUM_MISSING'
  | 'IMAGE_SIGNATURE_INVALID'
  | 'IMAGE_ARCHIVE_INVALID'
  | 'DOWNLOAD_FAILED'
  // a guest
  | 'AGENT_UNAVAILABLE'
  | 'SSH_UNREACHABLE'
  | 'SSH_DENIED'
  | 'SSH_HOST_KEY_CHANGED'
  | 'SSH_FAILED'
  | 'COPY_FAILED'
  // the store
  | 'BASE_NOT_FOUND'
  | 'BASE_CHANGED'
  | 'DISK_MISSING'
  | 'RECORD_INVALID'
  | 'DISK_FULL'
  | 'BUSY'
  // the host
  | 'COMMAND_MISSING'
  | 'COMMAND_FAILED'
  | 'COMMAND_TIMEOUT'
  | 'PERMISSION_DENIED'
  | 'FILE_SYSTEM'
  | 'HYPERVISOR_UNREACHABLE'
  | 'HYPERVISOR_FAILED'
  | 'KVM_UNAVAILABLE'
  | 'HOST_UNFIT'
  | 'MEMORY_SHORT'
  | 'WAIT_TIMEOUT'
  | 'GUEST_FAILED'
  | 'INTERRUPTED';

interface LaunchErrorOptions {
  /** What to do about it: one or more lines, each an action, commands written out to be copied. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
  /** Facts for programs: sizes in bytes, ids, paths. Printed by `--format json` only. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * A refusal or failure that the user can act on. The message says which action failed, on what (quoted)
 * and why, starting in lower case, without a full stop. Any other Error that surfaces is a bug of ours.
 */
export class LaunchError extends Error {
  readonly code: LaunchErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: LaunchErrorCode, message: string, options: LaunchErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LaunchError';
    this.code = code;
    this.hint = options.hint;
    this.details = options.details;
  }
}
