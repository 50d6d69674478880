import { connect } from 'node:net';
import { errnoOf } from '../../host/system-error.js';
import type { SshEvidence } from '../autopsy/evidence.js';

/** What came back from a port. */
export interface Knock {
  readonly answer: SshEvidence['answer'];
  /** The first line that was said, as far as it is printable. */
  readonly banner: string | undefined;
}

export interface KnockOptions {
  readonly connectTimeoutMs: number;
  /** From the connection on. Whoever hangs up early makes a busy guest begin again, with a process more. */
  readonly greetingTimeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

const longestBanner = 255;

/**
 * Connects to a port and listens for the greeting of an ssh server (RFC 4253, 4.2). That a port takes the
 * connection says little: QEMU does so for a forwarded port whatever its guest does.
 */
export async function knock(
  endpoint: { readonly address: string; readonly port: number },
  options: KnockOptions,
): Promise<Knock> {
  return await new Promise((resolve) => {
    const socket = connect({ host: endpoint.address, port: endpoint.port });
    let connected = false;
    let heard = '';
    const end = (answer: Knock['answer'], banner?: string) => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', judge);
      socket.removeAllListeners();
      // A reset that comes after the end is nobody's business any more.
      socket.on('error', () => undefined);
      socket.destroy();
      resolve({ answer, banner });
    };
    const judge = () => {
      const line = heard.split(/\r?\n/).find((one) => one.startsWith('SSH-'));
      if (line !== undefined) end('ssh', printable(line));
      else if (heard === '') end(connected ? 'mute' : 'silent');
      else end('foreign', printable(heard.split(/\r?\n/)[0] ?? ''));
    };
    let timer = setTimeout(judge, options.connectTimeoutMs);
    options.signal?.addEventListener('abort', judge, { once: true });
    socket.on('connect', () => {
      connected = true;
      clearTimeout(timer);
      timer = setTimeout(judge, options.greetingTimeoutMs);
    });
    socket.on('data', (chunk: Buffer) => {
      heard = (heard + chunk.toString('latin1')).slice(0, 4 * longestBanner);
      if (/^SSH-[^\n]*\n/m.test(heard) || heard.length >= 4 * longestBanner) judge();
    });
    socket.on('close', judge);
    socket.on('error', (error) => {
      if (connected) judge();
      else end(errnoOf(error) === 'ECONNREFUSED' ? 'refused' : unreached(errnoOf(error)));
    });
    if (options.signal?.aborted === true) judge();
  });
}

function unreached(errno: string | undefined): Knock['answer'] {
  // The connection was there, and gone before we heard of it.
  if (errno === 'ECONNRESET') return 'mute';
  return errno === 'EHOSTUNREACH' || errno === 'ENETUNREACH' || errno === 'EADDRNOTAVAIL'
    ? 'unreachable'
    : 'silent';
}

function printable(line: string): string {
  return line.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, longestBanner);
}
