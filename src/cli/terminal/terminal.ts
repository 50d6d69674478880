import { LaunchError } from '../../host/launch-error.js';

/** Where a command's words go. Text is written as it is given: whoever writes a line ends it with `\n`. */
export interface Terminal {
  /** Results, to stdout. */
  out(text: string): void;
  /** Progress, messages and errors, to stderr. */
  err(text: string): void;
  /** Colours may be used, on either stream. */
  readonly colour: boolean;
  /** A person watches stderr: lines may be redrawn and questions asked. */
  readonly interactive: boolean;
  /** The width to draw for; it follows the window. */
  readonly columns: number;
  /** The window's height; undefined where there is no window. */
  readonly rows?: number | undefined;
}

/** The part of a stream that a terminal is made of. */
interface TerminalStream {
  write(text: string): unknown;
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

interface TerminalSource {
  readonly stdout: TerminalStream;
  readonly stderr: TerminalStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told once when nobody reads stdout any more: what would follow something for ever can end. */
  readonly onOutputClosed?: (() => void) | undefined;
}

const DEFAULT_COLUMNS = 80;

/**
 * The terminal of this process. Colour needs a terminal on both streams, as one flag serves both;
 * NO_COLOR (not empty) forbids it, FORCE_COLOR (not empty, 0 or false) asks for it anywhere. TERM=dumb and
 * CI switch redrawing off. When the reader of stdout goes away (`launch list | head`), what is still written
 * is dropped without a word; any other failure to write the results is thrown as FILE_SYSTEM.
 */
export function processTerminal(source: TerminalSource = process): Terminal {
  const { stdout, stderr, env } = source;
  let outputOpen = true;

  stdout.on('error', (error) => {
    if (!isGone(error)) {
      throw new LaunchError('FILE_SYSTEM', `cannot write the output: ${error.message}`, { cause: error });
    }
    if (!outputOpen) return;
    outputOpen = false;
    source.onOutputClosed?.();
  });
  // There is nowhere left to tell that stderr is gone, and the work itself must go on to its end.
  stderr.on('error', () => undefined);

  return {
    out(text) {
      if (outputOpen) stdout.write(text);
    },
    err(text) {
      stderr.write(text);
    },
    colour: mayColour(source),
    interactive: stderr.isTTY === true && env['TERM'] !== 'dumb' && !isSwitchedOn(env['CI']),
    get rows() {
      return positive(stdout.rows) ?? positive(stderr.rows);
    },
    get columns() {
      return (
        positive(stderr.columns) ?? positive(stdout.columns) ?? positive(env['COLUMNS']) ?? DEFAULT_COLUMNS
      );
    },
  };
}

function mayColour({ stdout, stderr, env }: TerminalSource): boolean {
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined && forced !== '') return isSwitchedOn(forced);
  return stdout.isTTY === true && stderr.isTTY === true && env['TERM'] !== 'dumb';
}

function isSwitchedOn(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0' && value !== 'false';
}

/** EPIPE: the reader of a pipe has ended; EIO: the terminal itself was closed. */
function isGone(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EPIPE' || error.code === 'EIO';
}

// Some pseudo-terminals report a width of 0.
function positive(value: number | string | undefined): number | undefined {
  const number = Number(value);
  return Number.isInteger(number) && number > 0 ? number : undefined;
}
