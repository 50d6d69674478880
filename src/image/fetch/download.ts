import { LaunchError } from '../../host/launch-error.js';
import { interruptedError } from '../../host/work.js';
import { processClock, type FetchClock } from './clock.js';
import { openRemote } from './open-remote.js';
import type { RemoteLocation } from './remote-location.js';
import { lastingReason, statusError, TransientError, transientReason } from './transient.js';
import { httpTransport, type RemoteResponse, type Transport } from './transport.js';

/** How to download; everything has a default but the location. */
export interface Fetching {
  readonly transport: Transport;
  readonly clock: FetchClock;
  /** A connection that gives nothing for so long is given up and tried again. */
  readonly idleMs: number;
}

export const defaultFetching: Fetching = {
  transport: httpTransport(),
  clock: processClock,
  idleMs: 30_000,
};

/** What was read is of no use any more: the file changed, or the server cannot go on in the middle. */
export class RestartNeeded extends Error {}

const maximumFailures = 5;
const firstDelayMs = 500;
const maximumDelayMs = 30_000;
/** So much progress makes earlier failures forgotten. */
const progressBytes = 1024 * 1024;

interface PassOptions {
  readonly signal: AbortSignal;
  readonly allowHttp?: boolean | undefined;
  /** Told before each wait: why, and how long. */
  readonly onRetry?: (reason: string, delayMs: number) => void;
  /** Told when the length is known. */
  readonly onLength?: (totalBytes: number) => void;
}

/**
 * The bytes of a file, resumed after a break where the server can (Range with If-Range), each failure tried
 * again after a wait that doubles.
 *
 * @throws RestartNeeded when it must be read from its first byte again
 * @throws LaunchError DOWNLOAD_FAILED, INTERRUPTED
 */
export async function* download(
  location: RemoteLocation,
  fetching: Fetching,
  options: PassOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const state: PassState = { receivedBytes: 0, totalBytes: undefined, validator: undefined };
  let failures = 0;
  let receivedAtFailure = 0;
  for (;;) {
    try {
      yield* attempt(location, state, fetching, options);
      return;
    } catch (error) {
      if (options.signal.aborted) throw interruptedError(options.signal);
      if (error instanceof RestartNeeded || error instanceof LaunchError) throw error;
      const reason = transientReason(error);
      if (reason === undefined) throw downloadFailed(location, lastingReason(error), error);
      if (state.receivedBytes - receivedAtFailure >= progressBytes) failures = 0;
      receivedAtFailure = state.receivedBytes;
      failures += 1;
      if (failures > maximumFailures) {
        throw downloadFailed(location, `${reason}, ${failures} times in a row`, error);
      }
      const asked = error instanceof TransientError ? error.retryAfterMs : undefined;
      const delayMs = Math.min(maximumDelayMs, asked ?? firstDelayMs * 2 ** (failures - 1));
      options.onRetry?.(reason, delayMs);
      await fetching.clock.sleep(delayMs, options.signal).catch((problem: unknown) => {
        throw options.signal.aborted ? interruptedError(options.signal) : problem;
      });
      if (state.receivedBytes > 0 && state.validator === undefined) {
        throw new RestartNeeded('the server does not say how to recognize the file again');
      }
    }
  }
}

interface PassState {
  receivedBytes: number;
  totalBytes: number | undefined;
  /** A strong ETag, or Last-Modified: what If-Range takes. */
  validator: string | undefined;
}

async function* attempt(
  location: RemoteLocation,
  state: PassState,
  { transport, clock, idleMs }: Fetching,
  options: PassOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const idle = new AbortController();
  const signal = AbortSignal.any([options.signal, idle.signal]);
  // Counts only while we wait for the server, never while it waits for us.
  const waiting = async <T>(promise: Promise<T>): Promise<T> => {
    const callOff = clock.after(idleMs, () => {
      idle.abort();
    });
    try {
      return await promise;
    } catch (error) {
      if (!idle.signal.aborted) throw error;
      throw new TransientError(`nothing came for ${Math.round(idleMs / 1000)} s`);
    } finally {
      callOff();
    }
  };
  const headers: Record<string, string> =
    state.receivedBytes === 0
      ? {}
      : { range: `bytes=${state.receivedBytes}-`, 'if-range': state.validator ?? '' };
  const opening = openRemote(transport, location, { headers, allowHttp: options.allowHttp, signal });
  const response = await waiting(opening);
  try {
    acceptResponse(response, location, state);
    if (state.totalBytes !== undefined) options.onLength?.(state.totalBytes);
    const chunks = response.body[Symbol.asyncIterator]();
    for (;;) {
      const next = await waiting(chunks.next());
      if (next.done === true) break;
      state.receivedBytes += next.value.length;
      yield next.value;
    }
  } finally {
    response.close();
  }
  if (state.totalBytes !== undefined && state.receivedBytes < state.totalBytes) {
    throw new TransientError('the connection ended early');
  }
}

/** Takes over what the headers say, and sees that what comes is what was asked for. */
function acceptResponse(response: RemoteResponse, location: RemoteLocation, state: PassState): void {
  const { status } = response;
  if (state.receivedBytes > 0) {
    if (status === 200) throw new RestartNeeded('the file has changed, or the server gives no parts of it');
    if (status === 416) throw new RestartNeeded('the file has become shorter');
    if (status === 206) {
      checkPart(response, state);
      return;
    }
  }
  if (status !== 200) throw statusError(location.shown, status, response.header('retry-after'));
  const length = response.header('content-length');
  state.totalBytes = length !== undefined && /^\d+$/.test(length) ? Number(length) : undefined;
  state.validator = validatorOf(response);
}

function checkPart(response: RemoteResponse, state: PassState): void {
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.header('content-range') ?? '');
  const total = range?.[3] === '*' ? state.totalBytes : Number(range?.[3]);
  if (
    Number(range?.[1]) !== state.receivedBytes ||
    (state.totalBytes !== undefined && total !== state.totalBytes)
  ) {
    throw new RestartNeeded('the server gave another part than the one that was asked for');
  }
  const validator = validatorOf(response);
  // Some servers do not know If-Range.
  if (validator !== undefined && validator !== state.validator)
    throw new RestartNeeded('the file has changed');
  state.totalBytes ??= total;
}

function validatorOf(response: RemoteResponse): string | undefined {
  const etag = response.header('etag');
  // A weak ETag says "as good as the same", which bytes are not.
  if (etag !== undefined && !etag.startsWith('W/')) return etag;
  return response.header('last-modified');
}

export function downloadFailed(location: RemoteLocation, reason: string, cause?: unknown): LaunchError {
  return new LaunchError('DOWNLOAD_FAILED', `cannot download "${location.shown}": ${reason}`, {
    details: { url: location.shown },
    cause,
  });
}
