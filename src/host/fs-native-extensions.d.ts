declare module 'fs-native-extensions' {
  const locks: {
    tryLock(fd: number, offset?: number, length?: number, options?: { shared?: boolean }): boolean;
    /** false: the exclusive lock is lost and nothing is held. */
    tryDowngradeLock(fd: number, offset?: number, length?: number): boolean;
  };
  export default locks;
}
