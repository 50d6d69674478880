import type { IncomingMessage } from 'node:http';

/** What a server answered: headers in lower case, and a body that is read as it comes. */
export interface RemoteResponse {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
  /** Leaves the body unread. */
  close(): void;
}

/** One GET without redirects, caches or content encodings. Aborting the signal ends the body, too. */
export type Transport = (
  url: URL,
  options: { readonly headers: Readonly<Record<string, string>>; readonly signal: AbortSignal },
) => Promise<RemoteResponse>;

/** @param certificates PEM: authorities that are trusted instead of Node's own */
export function httpTransport(options: { readonly certificates?: string } = {}): Transport {
  return async (url, { headers, signal }) => {
    // Loaded when needed: every start of the command would pay for it.
    const isHttps = url.protocol === 'https:';
    const { request: send } = isHttps ? await import('node:https') : await import('node:http');
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const { certificates } = options;
      const ca = isHttps && certificates !== undefined ? { ca: certificates } : {};
      const request = send(url, { headers, signal, agent: false, ...ca });
      request.once('response', resolve).once('error', reject).end();
    });
    return {
      status: response.statusCode ?? 0,
      header: (name) => {
        const value = response.headers[name];
        return Array.isArray(value) ? value.join(', ') : value;
      },
      body: response as AsyncIterable<Uint8Array>,
      close: () => {
        // What the server still sends is nobody's error any more.
        response.on('error', () => undefined);
        response.destroy();
      },
    };
  };
}
