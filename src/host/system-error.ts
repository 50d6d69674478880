import { LaunchError } from './launch-error.js';

/** The errno name of a Node system error (`ENOENT`), or undefined for any other value. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}

/** Turns a system error into one that the user can act on; a LaunchError or a bug passes unchanged. */
export function fileSystemError(action: string, path: string, error: unknown): Error {
  if (error instanceof LaunchError) return error;
  const errno = errnoOf(error);
  const message = `cannot ${action} "${path}"`;
  switch (errno) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new LaunchError('DISK_FULL', `${message}: the file system is full`, {
        hint: 'free some space, for example by removing images or instances that are not needed:\n  launch image list\n  launch list',
        cause: error,
        details: { path },
      });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new LaunchError(
        'PERMISSION_DENIED',
        `${message}: ${errno === 'EROFS' ? 'the file system is read-only' : 'permission denied'}`,
        {
          hint: 'run as root, or use a home of your own:  LAUNCH_HOME=~/.local/share/launch LIBVIRT_DEFAULT_URI=qemu:///session',
          cause: error,
          details: { path },
        },
      );
    case 'EFBIG':
      return new LaunchError('FILE_SYSTEM', `${message}: the file system cannot hold a file of that size`, {
        hint: 'take a smaller disk:  --disk GiB    (ext4 holds files up to 16 TiB)',
        cause: error,
        details: { path },
      });
    case 'ENOENT':
      return new LaunchError('FILE_SYSTEM', `${message}: no such file or directory`, {
        cause: error,
        details: { path },
      });
    case undefined:
      return error instanceof Error ? error : new Error(String(error));
    default:
      return new LaunchError('FILE_SYSTEM', `${message}: ${errno}`, { cause: error, details: { path } });
  }
}
