import { Writable } from 'node:stream';
import type { createLogUpdate } from 'log-update';

import type { Terminal } from './terminal.js';

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';

/**
 * Lines at the foot of a terminal that are redrawn in place, with lines above them that stay. The cursor is
 * hidden only while lines are live, and comes back when the process exits, however that happens in Node.
 */
export class LiveLines {
  readonly #terminal: Terminal;
  #lines: readonly string[] = [];
  #draw: ReturnType<typeof createLogUpdate> | undefined;
  #loading = false;
  #drawn = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Makes these the live lines; none takes them away. */
  show(lines: readonly string[]): void {
    this.#lines = lines;
    if (lines.length === 0) this.#erase();
    else if (this.#draw !== undefined) this.#redraw(this.#draw);
    else this.#load();
  }

  /** Leaves a line above the live ones for good. */
  print(line: string): void {
    if (this.#draw === undefined || !this.#drawn) {
      this.#terminal.err(`${line}\n`);
      return;
    }
    this.#draw.persist(line);
    this.#draw(this.#lines.join('\n'));
  }

  // Until it is loaded, lines that stay are printed as they come and only the live ones are missing. Should
  // it fail to load, that is how it remains.
  #load(): void {
    if (this.#loading) return;
    this.#loading = true;
    import('log-update')
      .then(({ createLogUpdate }) => {
        this.#draw = createLogUpdate(streamOf(this.#terminal), { showCursor: true });
        if (this.#lines.length > 0) this.#redraw(this.#draw);
      })
      .catch(() => undefined);
  }

  #redraw(draw: ReturnType<typeof createLogUpdate>): void {
    if (!this.#drawn) {
      this.#drawn = true;
      process.once('exit', this.#showCursor);
      this.#terminal.err(HIDE_CURSOR);
    }
    draw(this.#lines.join('\n'));
  }

  #erase(): void {
    if (!this.#drawn) return;
    this.#drawn = false;
    process.removeListener('exit', this.#showCursor);
    this.#draw?.clear();
    this.#showCursor();
  }

  readonly #showCursor = (): void => {
    this.#terminal.err(SHOW_CURSOR);
  };
}

/** stderr as log-update wants it; what is written arrives at once. */
function streamOf(terminal: Terminal): Writable {
  const stream = new Writable({
    decodeStrings: false,
    write(text: string, _encoding, written) {
      terminal.err(text);
      written();
    },
  });
  Object.defineProperties(stream, {
    isTTY: { value: true },
    columns: { get: () => terminal.columns },
  });
  return stream;
}
