// Times in milliseconds. Rates of single samples jump; three seconds is calm and still follows a change.
const SMOOTHING = 3000;
// Shorter than this a sample is mostly noise, so it waits for more.
const SHORTEST_SAMPLE = 250;
// Before this much was watched, a rate and a time left would be guesses.
const SHORTEST_WATCH = 1000;
const LONGEST_LEFT = 24 * 3600 * 1000;

/** The smoothed speed of a transfer whose done bytes are told now and then. */
export class TransferRate {
  #first: { readonly at: number; readonly bytes: number } | undefined;
  #last = { at: 0, bytes: 0 };
  #bytesPerMs: number | undefined;

  /** `at` in milliseconds, never going back. What was done at the first sample was not done under our eyes. */
  add(bytes: number, at: number): void {
    if (this.#first === undefined || bytes < this.#last.bytes) {
      this.#first = { at, bytes };
      this.#last = this.#first;
      this.#bytesPerMs = undefined;
      return;
    }
    const elapsed = at - this.#last.at;
    if (elapsed < SHORTEST_SAMPLE) return;
    const current = (bytes - this.#last.bytes) / elapsed;
    const weight = 1 - Math.exp(-elapsed / SMOOTHING);
    this.#bytesPerMs =
      this.#bytesPerMs === undefined ? current : this.#bytesPerMs + weight * (current - this.#bytesPerMs);
    this.#last = { at, bytes };
  }

  /** Bytes in a second; undefined until it means something. It falls while nothing is told. */
  bytesPerSecond(at: number): number | undefined {
    if (this.#first === undefined || this.#bytesPerMs === undefined) return undefined;
    if (at - this.#first.at < SHORTEST_WATCH) return undefined;
    const silent = Math.max(0, at - this.#last.at - SHORTEST_WATCH);
    const rate = this.#bytesPerMs * Math.exp(-silent / SMOOTHING) * 1000;
    return rate < 1 ? undefined : rate;
  }

  /** Milliseconds until so many bytes are done; undefined when unknown, over, or more than a day. */
  timeLeft(totalBytes: number, at: number): number | undefined {
    const rate = this.bytesPerSecond(at);
    const bytesLeft = totalBytes - this.#last.bytes;
    if (rate === undefined || bytesLeft <= 0) return undefined;
    const left = (bytesLeft / rate) * 1000;
    return left > LONGEST_LEFT ? undefined : left;
  }
}
