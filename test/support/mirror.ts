import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { onTestFinished } from 'vitest';

/** A file of the mirror, and how the server behaves about it. */
export interface MirrorFile {
  readonly content: Buffer;
  /** By default of the content; null for none. */
  readonly etag?: string | null;
  readonly lastModified?: string;
  /** false: each request gets the whole file. */
  readonly ranges?: boolean;
  /** false: no Content-Length, so that its end tells its end. */
  readonly length?: boolean;
  /** The answers in turn, the last of them for ever: what happens to each request. */
  readonly answers?: readonly Answer[];
}

export type Answer =
  | 'whole'
  /** The connection breaks after so many bytes of the answer. */
  | { readonly breakAfter: number }
  /** Nothing comes any more after so many bytes, and the connection stays open. */
  | { readonly stallAfter: number }
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly redirect: string }
  /** From here on it is another file. */
  | { readonly become: MirrorFile };

export interface MirrorRequest {
  readonly path: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly authorization: string | undefined;
}

/** A server on 127.0.0.1 with the manners that downloads meet. */
export class Mirror {
  readonly requests: MirrorRequest[] = [];
  readonly #server: Server;
  readonly #origin: string;
  readonly #files = new Map<string, { file: MirrorFile; answered: number }>();
  readonly #sockets = new Set<Socket>();

  constructor(server: Server, protocol: 'http' | 'https') {
    this.#server = server;
    this.#origin = `${protocol}://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#answer(request, response);
    });
    server.on(protocol === 'https' ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.#sockets.add(socket);
    });
  }

  url(path: string, userInfo = ''): string {
    return `${this.#origin.replace('//', `//${userInfo}`)}${path}`;
  }

  put(path: string, file: MirrorFile | Buffer | string): string {
    const whole = typeof file === 'string' ? Buffer.from(file) : file;
    this.#files.set(path, { file: Buffer.isBuffer(whole) ? { content: whole } : whole, answered: 0 });
    return this.url(path);
  }

  requestsOf(path: string): readonly MirrorRequest[] {
    return this.requests.filter((request) => request.path === path);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '').replace(/\?.*$/, '');
    const { range, authorization } = request.headers;
    const ifRange = request.headers['if-range'] as string | undefined;
    this.requests.push({ path, range, ifRange, authorization });
    const entry = this.#files.get(path);
    if (entry === undefined) {
      response.writeHead(404).end('not here');
      return;
    }
    const answers = entry.file.answers ?? ['whole'];
    const answer = answers[Math.min(entry.answered, answers.length - 1)] ?? 'whole';
    entry.answered += 1;
    if (typeof answer === 'object' && 'become' in answer) {
      entry.file = answer.become;
      entry.answered = 1;
      this.#send(entry.file, 'whole', request, response);
      return;
    }
    this.#send(entry.file, answer, request, response);
  }

  #send(
    file: MirrorFile,
    answer: Exclude<Answer, { become: MirrorFile }>,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    if (typeof answer === 'object' && 'redirect' in answer) {
      response.writeHead(302, { location: answer.redirect }).end();
      return;
    }
    if (typeof answer === 'object' && 'status' in answer) {
      response.writeHead(answer.status, { ...answer.headers }).end('no');
      return;
    }
    const etag = file.etag === undefined ? `"${sha256(file.content).slice(0, 16)}"` : file.etag;
    const start = startOfRange(file, etag, request);
    const body = file.content.subarray(start);
    response.writeHead(start > 0 ? 206 : 200, {
      ...(etag === null ? {} : { etag }),
      ...(file.lastModified === undefined ? {} : { 'last-modified': file.lastModified }),
      ...(file.length === false ? {} : { 'content-length': `${body.length}` }),
      ...(start > 0
        ? { 'content-range': `bytes ${start}-${file.content.length - 1}/${file.content.length}` }
        : {}),
    });
    if (answer === 'whole') {
      response.end(body);
      return;
    }
    const length = 'breakAfter' in answer ? answer.breakAfter : answer.stallAfter;
    response.write(body.subarray(0, length), () => {
      if ('breakAfter' in answer) response.socket?.destroy();
    });
  }
}

/** Serves until the test is done. */
export async function startMirror(certificate?: Certificate): Promise<Mirror> {
  const server = certificate === undefined ? createHttpServer() : createHttpsServer(certificate);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const mirror = new Mirror(server, certificate === undefined ? 'http' : 'https');
  onTestFinished(() => mirror.close());
  return mirror;
}

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** Signed by itself, for 127.0.0.1. */
export async function makeCertificate(): Promise<Certificate> {
  const directory = await mkdtemp(join(tmpdir(), 'launch-cert-'));
  try {
    const [key, cert] = [join(directory, 'key'), join(directory, 'cert')];
    await execa('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=127.0.0.1'],
      ...['-addext', 'subjectAltName=IP:127.0.0.1'],
    ]);
    return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  } finally {
    await rm(directory, { recursive: true });
  }
}

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

export function sha512(content: Buffer): string {
  return createHash('sha512').update(content).digest('hex');
}

function startOfRange(file: MirrorFile, etag: string | null, request: IncomingMessage): number {
  const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  if (asked === null || file.ranges === false) return 0;
  const ifRange = request.headers['if-range'];
  return ifRange === undefined || ifRange === etag || ifRange === file.lastModified ? Number(asked[1]) : 0;
}
