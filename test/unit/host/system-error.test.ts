import { describe, expect, it } from 'vitest';

import { LaunchError } from '../../../src/host/launch-error.js';
import { errnoOf, fileSystemError } from '../../../src/host/system-error.js';

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: as Node says it`), { code });
}

function turned(error: unknown): LaunchError {
  const result = fileSystemError('write', '/home/record', error);
  if (!(result instanceof LaunchError)) throw new Error('not turned', { cause: result });
  return result;
}

describe('fileSystemError', () => {
  it.each([
    ['ENOSPC', 'DISK_FULL', 'cannot write "/home/record": the file system is full'],
    ['EDQUOT', 'DISK_FULL', 'cannot write "/home/record": the file system is full'],
    ['EACCES', 'PERMISSION_DENIED', 'cannot write "/home/record": permission denied'],
    ['EPERM', 'PERMISSION_DENIED', 'cannot write "/home/record": permission denied'],
    ['EROFS', 'PERMISSION_DENIED', 'cannot write "/home/record": the file system is read-only'],
    ['ENOENT', 'FILE_SYSTEM', 'cannot write "/home/record": no such file or directory'],
    ['EIO', 'FILE_SYSTEM', 'cannot write "/home/record": EIO'],
    ['ENOTDIR', 'FILE_SYSTEM', 'cannot write "/home/record": ENOTDIR'],
  ])('%s is %s', (errno, code, message) => {
    const cause = systemError(errno);
    const error = turned(cause);
    expect([error.code, error.message]).toEqual([code, message]);
    expect(error.cause).toBe(cause);
    expect(error.details).toEqual({ path: '/home/record' });
  });

  it('says what to do where something can be done', () => {
    expect(turned(systemError('ENOSPC')).hint).toContain('launch image list');
    expect(turned(systemError('EACCES')).hint).toContain('LAUNCH_HOME');
    expect(turned(systemError('EIO')).hint).toBeUndefined();
  });

  it('passes a LaunchError and a bug unchanged', () => {
    const refusal = new LaunchError('BUSY', 'busy');
    const bug = new TypeError('undefined is not a function');
    expect(fileSystemError('write', '/', refusal)).toBe(refusal);
    expect(fileSystemError('write', '/', bug)).toBe(bug);
    expect(fileSystemError('write', '/', 'thrown text').message).toBe('thrown text');
  });
});

describe('errnoOf', () => {
  it('is the name of a system error, and nothing for any other value', () => {
    expect(errnoOf(systemError('ENOENT'))).toBe('ENOENT');
    expect(errnoOf(Object.assign(new Error(), { code: 7 }))).toBeUndefined();
    expect(errnoOf({ code: 'ENOENT' })).toBeUndefined();
    expect(errnoOf(undefined)).toBeUndefined();
  });
});
