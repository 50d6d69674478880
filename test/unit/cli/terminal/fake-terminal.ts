import type { ProgressClock } from '../../../../src/cli/terminal/progress.js';
import type { Terminal } from '../../../../src/cli/terminal/terminal.js';

/** A terminal that records what is written, and can tell what a person would see of it. */
export class FakeTerminal implements Terminal {
  readonly colour: boolean;
  readonly interactive: boolean;
  columns: number;
  stdout = '';
  stderr = '';
  readonly #waiting: { readonly text: string; readonly seen: () => void }[] = [];

  constructor({ colour = false, interactive = false, columns = 100 } = {}) {
    this.colour = colour;
    this.interactive = interactive;
    this.columns = columns;
  }

  out(text: string): void {
    this.stdout += text;
  }

  err(text: string): void {
    this.stderr += text;
    for (const { text: awaited, seen } of this.#waiting) if (this.stderr.includes(awaited)) seen();
  }

  /** Settles as soon as stderr has had the text. */
  async written(text: string): Promise<void> {
    if (this.stderr.includes(text)) return;
    await new Promise<void>((seen) => this.#waiting.push({ text, seen }));
  }

  /** The lines that stderr shows, with every cursor movement carried out; throws for one it does not know. */
  screen(): string[] {
    const rows: string[] = [''];
    let row = 0;
    let column = 0;
    for (const [token] of this.stderr.matchAll(/\x1b\[[?0-9;]*[A-Za-z]|[\s\S]/gu)) {
      const [, count, command] = /^\x1b\[([?0-9;]*)([A-Za-z])$/.exec(token) ?? [];
      if (command === undefined) {
        if (token === '\n') {
          row += 1;
          column = 0;
          rows[row] ??= '';
          continue;
        }
        const line = (rows[row] ?? '').padEnd(column);
        rows[row] = line.slice(0, column) + token + line.slice(column + token.length);
        column += token.length;
      } else if (command === 'A') row -= Number(count === '' ? 1 : count);
      else if (command === 'B') row += Number(count === '' ? 1 : count);
      else if (command === 'G') column = 0;
      else if (command === 'K' && count === '2') rows[row] = '';
      else if (command === 'K') rows[row] = (rows[row] ?? '').slice(0, column);
      else if (!'hlm'.includes(command)) throw new Error(`unknown sequence ${JSON.stringify(token)}`);
      if (row < 0) throw new Error('the cursor left the screen');
    }
    while (rows.at(-1) === '') rows.pop();
    return rows;
  }

  /** Whether the cursor is to be seen. */
  get cursorVisible(): boolean {
    return this.stderr.lastIndexOf('\x1b[?25h') >= this.stderr.lastIndexOf('\x1b[?25l');
  }
}

/** A clock that stands still until it is moved; its timers tick as it moves. */
export class FakeClock implements ProgressClock {
  #time = 1000;
  readonly #timers = new Set<{ readonly every: number; next: number; readonly tick: () => void }>();

  readonly now = (): number => this.#time;

  readonly every = (milliseconds: number, tick: () => void): (() => void) => {
    const timer = { every: milliseconds, next: this.#time + milliseconds, tick };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  };

  advance(milliseconds: number): void {
    const end = this.#time + milliseconds;
    for (;;) {
      const [due] = [...this.#timers].filter(({ next }) => next <= end).sort((a, b) => a.next - b.next);
      if (due === undefined) break;
      this.#time = due.next;
      due.next += due.every;
      due.tick();
    }
    this.#time = end;
  }

  get timers(): number {
    return this.#timers.size;
  }
}
