import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

/** The calls by which a process opens a file, or reaches another process through one. */
const calls = ['open', 'openat', 'openat2', 'creat', 'connect', 'execve'];

/** A command and its options that run another and write down what it and its children open. */
export function tracerTo(logPath: string): readonly string[] {
  // -y: what descriptors stand for, so that the result has the real path behind a link.
  return ['strace', '-f', '-qq', '-y', '--seccomp-bpf', '-e', `trace=${calls.join(',')}`, '-o', logPath];
}

/**
 * Every path that was asked for, whether it was there or not, and every path that was opened in the end;
 * sockets as `socket` and what strace says of them.
 */
export async function readOpenedFiles(logPath: string): Promise<ReadonlySet<string>> {
  const paths = new Set<string>();
  for (const line of (await readFile(logPath, 'utf8')).split('\n')) {
    const asked =
      /^\d+ +(?:open|creat|execve)\((")((?:[^"\\]|\\.)*)"/.exec(line) ??
      /^\d+ +openat2?\(\w+<([^>]*)>, "((?:[^"\\]|\\.)*)"/.exec(line);
    if (asked?.[1] !== undefined && asked[2] !== undefined) {
      paths.add(resolve(asked[1] === '"' ? '/' : asked[1], asked[2]));
    }
    const connected = /^\d+ +connect\((.*)/.exec(line)?.[1];
    if (connected !== undefined) paths.add(`socket ${connected}`);
    const opened = /\) += \d+<(\/[^>]*)>/.exec(line)?.[1];
    if (opened !== undefined) paths.add(opened.replace(/ \(deleted\)$|\(deleted\)$/, ''));
  }
  return paths;
}
