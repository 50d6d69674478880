import { LaunchError } from '../../../src/host/launch-error.js';

/** The refusal that work ends with; any other end fails the test. */
export async function launchErrorOf(work: Promise<unknown> | (() => unknown)): Promise<LaunchError> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    if (error instanceof LaunchError) return error;
    throw new Error(`not a LaunchError: ${String(error)}`, { cause: error });
  }
  throw new Error('nothing was thrown');
}
