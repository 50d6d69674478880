import { connect } from 'node:net';
import type { SshEndpoint } from './ssh-options.js';

const maximumBytes = 8192;

/**
 * The line that an sshd greets with (`SSH-2.0-…`), or undefined when nobody does in time. That a port
 * takes connections says little: a paused guest's kernel may do so, and QEMU does so for a forwarded port.
 */
export async function readSshBanner(
  endpoint: SshEndpoint,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const socket = connect({ host: endpoint.address, port: endpoint.port });
    let seen = '';
    const end = (banner?: string) => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', give);
      socket.destroy();
      resolve(banner);
    };
    const give = () => {
      end();
    };
    const timer = setTimeout(give, options.timeoutMs);
    options.signal?.addEventListener('abort', give, { once: true });
    socket.on('error', give).on('close', give);
    socket.on('data', (chunk: Buffer) => {
      seen += chunk.toString('latin1');
      // RFC 4253, 4.2: other lines may come before.
      const banner = /^(SSH-[\x21-\x7e][\x20-\x7e]*)\r?\n/m.exec(seen)?.[1];
      if (banner !== undefined) end(banner);
      else if (seen.length > maximumBytes) end();
    });
  });
}
