declare module 'fs-native-extensions' {
  export function tryLock(
    fd: number,
    offset?: number,
    length?: number,
    options?: { shared?: boolean },
  ): boolean;
  /** false: the exclusive lock is lost and nothing is held. */
  export function tryDowngradeLock(fd: number, offset?: number, length?: number): boolean;
}
