import { LaunchError } from '../../host/launch-error.js';
import { errnoOf } from '../../host/system-error.js';

/** A failure that may be gone when it is tried again. */
export class TransientError extends Error {
  /** What the server asked for, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, retryAfterMs?: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

const reasons: Readonly<Record<string, string>> = {
  ECONNRESET: 'the connection broke',
  EPIPE: 'the connection broke',
  ECONNABORTED: 'the connection broke',
  ERR_STREAM_PREMATURE_CLOSE: 'the connection broke',
  ECONNREFUSED: 'the server refuses connections',
  ETIMEDOUT: 'the server does not answer',
  EHOSTUNREACH: 'there is no way to the server',
  ENETUNREACH: 'there is no way to the server',
  ENETDOWN: 'the network is down',
  EAI_AGAIN: "the server's name cannot be looked up now",
};

/** The reason to try again, or undefined where that is of no use. */
export function transientReason(error: unknown): string | undefined {
  if (error instanceof TransientError) return error.message;
  if (error instanceof LaunchError) return undefined;
  return reasons[errnoOf(error) ?? ''];
}

/** For people; such an error ends the download at once. */
export function lastingReason(error: unknown): string {
  const code = errnoOf(error) ?? '';
  if (code === 'ENOTFOUND') return 'there is no host of that name';
  if (/CERT|SELF_SIGNED|UNABLE_TO_|TLS|SSL/.test(code)) {
    return `the server's certificate is not trusted (${error instanceof Error ? error.message : code})`;
  }
  return error instanceof Error ? error.message : String(error);
}

const transientStatuses: readonly number[] = [408, 425, 429, 500, 502, 503, 504];

const statusTexts: Readonly<Record<number, string>> = {
  401: 'it wants a user and a password',
  403: 'it forbids it',
  404: 'there is no such file',
  410: 'the file is gone',
};

/** @returns a TransientError, or the refusal */
export function statusError(shown: string, status: number, retryAfter: string | undefined): Error {
  const text = statusTexts[status];
  const reason = `the server answers ${status}${text === undefined ? '' : `: ${text}`}`;
  if (transientStatuses.includes(status)) {
    const seconds = /^\d{1,6}$/.test(retryAfter ?? '') ? Number(retryAfter) : undefined;
    return new TransientError(reason, seconds === undefined ? undefined : seconds * 1000);
  }
  return new LaunchError('DOWNLOAD_FAILED', `cannot download "${shown}": ${reason}`, {
    details: { url: shown, status },
  });
}
