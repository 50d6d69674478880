import { setTimeout as sleep } from 'node:timers/promises';

/** Time as downloads see it; tests bring their own. */
export interface FetchClock {
  /** Rejects when the signal aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Calls once, later; returns the way to call it off. */
  after(milliseconds: number, call: () => void): () => void;
}

export const processClock: FetchClock = {
  sleep: async (milliseconds, signal) => {
    await sleep(milliseconds, undefined, { signal });
  },
  after: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds);
    return () => {
      clearTimeout(timer);
    };
  },
};
