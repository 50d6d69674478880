import { quoteWord } from './shell-words.js';

// The scripts are one line for `sh -c`, whatever the user's own shell is. They need what every guest with a
// shell has (cat, tar, test): neither scp nor an sftp server.

/**
 * Writes standard input to a path; into it, under `name`, where it is a directory. Written in place, as cp
 * and scp do, so that links, devices and the owner of what is there stay.
 */
export function receiveFileScript(
  path: string,
  options: { readonly name: string; readonly executable: boolean },
): string {
  return inShell(
    `${resolveTarget(path, options.name)} ` +
      `cat > "$d" || exit 1; ` +
      (options.executable ? 'chmod +x "$d"' : 'exit 0'),
  );
}

/** Unpacks a tar archive of `.` from standard input at a path; into it, under `name`, where it is a directory. */
export function receiveTreeScript(path: string, options: { readonly name: string }): string {
  return inShell(`${resolveTarget(path, options.name)} mkdir -p "$d" && cd "$d" && exec tar -xf -`);
}

/**
 * Tells what a path is and then gives it: a line `<marker> file <bytes> <x or ->` and the content, or
 * `<marker> tree` and a tar archive of `.`. The marker is ours: what a profile prints comes before it.
 */
export function sendScript(path: string, marker: string): string {
  return inShell(
    `p=${quoteWord(startOf(path))}; ` +
      `if [ -d "$p" ]; then cd "$p" || exit 1; echo ${marker} tree; exec tar -cf - .; fi; ` +
      `if [ -f "$p" ]; then exec <"$p" || exit 1; x=-; [ -x "$p" ] && x=x; ` +
      `echo ${marker} file $(stat -L -c %s "$p" 2>/dev/null || echo -) $x; exec cat; fi; ` +
      `if [ -e "$p" ]; then echo "$p: is neither a file nor a directory" >&2; ` +
      `else echo "$p: no such file or directory" >&2; fi; exit 1`,
  );
}

/** What a guest said that it sends. */
export type SentHeader =
  | { readonly kind: 'file'; readonly sizeBytes: number | undefined; readonly executable: boolean }
  | { readonly kind: 'tree' };

/** @param line without the marker's newline; undefined when it is not ours */
export function parseSentHeader(line: string, marker: string): SentHeader | undefined {
  if (line === `${marker} tree`) return { kind: 'tree' };
  const [, size, executable] = new RegExp(`^${marker} file (\\d+|-) ([x-])$`).exec(line) ?? [];
  if (size === undefined) return undefined;
  return { kind: 'file', sizeBytes: size === '-' ? undefined : Number(size), executable: executable === 'x' };
}

/** Sets d to where it shall go; ends when that cannot be. */
function resolveTarget(path: string, name: string): string {
  const isDirectory = path === '' || path.endsWith('/');
  return (
    `d=${quoteWord(startOf(path))}; ` +
    `if [ -d "$d" ]; then d="$d"/${quoteWord(name)}; ` +
    (isDirectory ? `else echo "$d: no such directory" >&2; exit 1; fi;` : 'fi;')
  );
}

/** From the home directory where it is relative, and never to be taken for an option. */
function startOf(path: string): string {
  if (path === '' || path === '~') return '.';
  if (path.startsWith('~/')) return `./${path.slice(2)}`;
  return path.startsWith('/') ? path : `./${path}`;
}

function inShell(script: string): string {
  return `exec sh -c ${quoteWord(script)}`;
}
