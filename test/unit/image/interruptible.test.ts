import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { interruptible } from '../../../src/image/interruptible.js';

describe('interruptible', () => {
  it('passes on what comes, and its end', async () => {
    const source = (async function* () {
      yield 1;
      yield 2;
    })();
    const seen: number[] = [];
    for await (const value of interruptible(source, new AbortController().signal)) seen.push(value);
    expect(seen).toEqual([1, 2]);
  });

  it('ends while it waits, and closes the stream', async () => {
    const stream = new PassThrough();
    const controller = new AbortController();
    const next = interruptible(stream as AsyncIterable<Uint8Array>, controller.signal).next();
    controller.abort();
    await expect(next).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(stream.destroyed).toBe(true);
  });

  it('does not begin after the end was asked for', async () => {
    const source = (async function* () {
      yield 1;
    })();
    const next = interruptible(source, AbortSignal.abort()).next();
    await expect(next).rejects.toMatchObject({ code: 'INTERRUPTED' });
  });

  it('leaves no listener behind for each piece', async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...args);
    };
    const source = (async function* () {
      for (let at = 0; at < 100; at += 1) yield at;
    })();
    const seen: number[] = [];
    for await (const value of interruptible(source, signal)) seen.push(value);
    expect([seen.length, listeners]).toEqual([100, 0]);
  });
});
