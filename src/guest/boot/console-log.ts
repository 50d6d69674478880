import { open, stat } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';
import { LaunchError } from '../../host/launch-error.js';
import { errnoOf, fileSystemError } from '../../host/system-error.js';
import { checkInterrupted, type Work } from '../../host/work.js';
import { lastLines } from './plain-text.js';

/** virtlogd moves a full log to `.0`, `.1`, …; the highest number is the oldest. */
const maximumBackups = 16;
const pollMs = 100;

/** Everything that a serial console printed and the log still has, the oldest first. */
export async function readConsoleLog(path: string): Promise<string> {
  const parts: Buffer[] = [];
  for (let backup = maximumBackups - 1; backup >= 0; backup -= 1) {
    parts.push((await readPart(`${path}.${backup}`, 0)).content);
  }
  parts.push((await readPart(path, 0)).content);
  return Buffer.concat(parts).toString('utf8');
}

/**
 * What a serial console prints from now on, or from `fromByte` of the log, as it comes. Survives the
 * log's rotation and a log that does not exist yet. Ends only by the signal.
 */
export async function* followConsoleLog(
  path: string,
  options: { readonly fromByte?: number; readonly work?: Work },
): AsyncGenerator<string, never, undefined> {
  const work = options.work ?? {};
  let position = options.fromByte ?? (await lengthOf(path));
  let inode: number | undefined;
  // A character may lie across two pieces.
  const decoder = new StringDecoder('utf8');
  for (;;) {
    checkInterrupted(work);
    const part = await readPart(path, position, inode);
    // What was printed between the last look and the rotation lies in the file that was moved away.
    const moved =
      inode !== undefined && part.inode !== undefined && part.inode !== inode
        ? await readPart(`${path}.0`, position)
        : undefined;
    const rest = moved !== undefined && moved.inode === inode ? moved.content : Buffer.alloc(0);
    if (part.inode !== undefined) {
      inode = part.inode;
      position = part.end;
    }
    // An empty turn is given too: the reader may have other things to look at.
    yield decoder.write(Buffer.concat([rest, part.content]));
    try {
      await sleep(pollMs, undefined, work.signal === undefined ? {} : { signal: work.signal });
    } catch {
      checkInterrupted(work);
    }
  }
}

/**
 * Waits until the console prints something that the pattern matches.
 *
 * @param options.timeoutMs how long to wait
 * @param options.isAlive asked about once a second; false ends the wait
 * @throws LaunchError WAIT_TIMEOUT with the console's last lines, INSTANCE_STATE when the guest is gone
 */
export async function waitForConsole(
  path: string,
  pattern: RegExp,
  options: {
    readonly fromByte: number;
    readonly timeoutMs: number;
    readonly isAlive: () => Promise<boolean>;
    readonly work?: Work;
    readonly onLine?: (line: string) => void;
  },
): Promise<string> {
  const deadline = performance.now() + options.timeoutMs;
  let nextLook = performance.now() + 1000;
  let seen = '';
  for await (const text of followConsoleLog(path, {
    fromByte: options.fromByte,
    ...(options.work === undefined ? {} : { work: options.work }),
  })) {
    // The pattern may lie across two pieces; more than this of the past is never needed for a line.
    seen = (seen + text).slice(-65_536);
    const found = pattern.exec(seen);
    if (found !== null) return lineAround(seen, found.index);
    if (text !== '') options.onLine?.(lastLines(seen, 1)[0] ?? '');
    if (performance.now() > deadline) throw waitTimeout(pattern, options.timeoutMs, seen);
    if (performance.now() > nextLook) {
      nextLook = performance.now() + 1000;
      if (!(await options.isAlive())) throw guestGone(pattern, seen);
    }
  }
  throw new Error('following a console log ended');
}

function lineAround(text: string, index: number): string {
  const start = text.lastIndexOf('\n', index - 1) + 1;
  const end = text.indexOf('\n', index);
  return lastLines(text.slice(start, end === -1 ? undefined : end), 1)[0] ?? '';
}

function waitTimeout(pattern: RegExp, timeoutMs: number, seen: string): LaunchError {
  return new LaunchError(
    'WAIT_TIMEOUT',
    `the console did not print /${pattern.source}/ within ${Math.round(timeoutMs / 1000)} s`,
    { hint: evidence(seen), details: { lastLines: lastLines(seen, 10) } },
  );
}

function guestGone(pattern: RegExp, seen: string): LaunchError {
  return new LaunchError(
    'INSTANCE_STATE',
    `the guest stopped before its console printed /${pattern.source}/`,
    { hint: evidence(seen), details: { lastLines: lastLines(seen, 10) } },
  );
}

function evidence(seen: string): string {
  const lines = lastLines(seen, 5);
  if (lines.length === 0)
    return 'the console printed nothing at all: the image may not use the serial console';
  return ['its last lines:', ...lines.map((line) => `  ${line}`)].join('\n');
}

interface Part {
  readonly content: Buffer;
  readonly end: number;
  /** undefined when there is no file. */
  readonly inode: number | undefined;
}

/** Reads from a position to the end; from the start when the file is not the one seen before. */
async function readPart(path: string, position: number, knownInode?: number): Promise<Part> {
  try {
    const handle = await open(path, 'r');
    try {
      const { ino, size } = await handle.stat();
      const start = size < position || (knownInode !== undefined && knownInode !== ino) ? 0 : position;
      const content = Buffer.alloc(Math.max(0, size - start));
      const { bytesRead } = await handle.read(content, 0, content.length, start);
      return { content: content.subarray(0, bytesRead), end: start + bytesRead, inode: ino };
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return { content: Buffer.alloc(0), end: position, inode: undefined };
    throw fileSystemError('read the console log', path, error);
  }
}

/** Bytes in the log now: where to go on reading from. */
export async function lengthOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw fileSystemError('look at the console log', path, error);
  }
}
