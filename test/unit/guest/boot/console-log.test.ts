import { appendFileSync } from 'node:fs';
import { appendFile, rename, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';

import {
  followConsoleLog,
  lengthOf,
  readConsoleLog,
  waitForConsole,
} from '../../../../src/guest/boot/console-log.js';
import { lastLines } from '../../../../src/guest/boot/plain-text.js';
import { launchErrorOf } from '../../host/launch-error-of.js';
import { newHome } from '../../host/new-home.js';

async function newLog(content?: string | Buffer): Promise<string> {
  const path = join((await newHome()).root, 'console.log');
  if (content !== undefined) await writeFile(path, content);
  return path;
}

/** What virtlogd does with a full log. */
async function rotate(path: string, content: string): Promise<void> {
  await rename(path, `${path}.0`);
  await writeFile(path, content);
}

/** The next piece that is not empty. */
async function nextText(log: AsyncGenerator<string, never>): Promise<string> {
  for (;;) {
    const { value } = await log.next();
    if (value !== '') return value;
  }
}

const alive = async (): Promise<boolean> => true;

describe('readConsoleLog', () => {
  it('gives all that is kept, the oldest first', async () => {
    const path = await newLog('five\n');
    await writeFile(`${path}.0`, 'four\n');
    await writeFile(`${path}.1`, 'three\n');
    await writeFile(`${path}.10`, 'two\n');
    await writeFile(`${path}.15`, 'one\n');
    expect(await readConsoleLog(path)).toBe('one\ntwo\nthree\nfour\nfive\n');
  });

  it('is empty when nothing was printed yet', async () => {
    expect(await readConsoleLog(await newLog())).toBe('');
  });

  it('joins a character that the rotation has cut', async () => {
    const bytes = Buffer.from('Grüße');
    const path = await newLog(bytes.subarray(3));
    await writeFile(`${path}.0`, bytes.subarray(0, 3));
    expect(await readConsoleLog(path)).toBe('Grüße');
  });

  it('takes bytes that are no text', async () => {
    expect(await readConsoleLog(await newLog(Buffer.from([0x61, 0xff, 0x62])))).toBe('a\ufffdb');
  });

  it('refuses what is no file', async () => {
    const { root } = await newHome();
    expect((await launchErrorOf(readConsoleLog(root))).code).toBe('FILE_SYSTEM');
  });
});

describe('followConsoleLog', () => {
  it('begins at the end, and gives what comes then', async () => {
    const path = await newLog('old\n');
    const log = followConsoleLog(path, {});
    expect((await log.next()).value).toBe('');
    await appendFile(path, 'new\n');
    expect(await nextText(log)).toBe('new\n');
    await log.return(undefined as never);
  });

  it('begins at the byte that is asked for', async () => {
    const log = followConsoleLog(await newLog('0123456789'), { fromByte: 4 });
    expect((await log.next()).value).toBe('456789');
    await log.return(undefined as never);
  });

  it('waits for a log that does not exist yet', async () => {
    const path = await newLog();
    const log = followConsoleLog(path, {});
    expect((await log.next()).value).toBe('');
    await writeFile(path, 'first words');
    expect(await nextText(log)).toBe('first words');
    await log.return(undefined as never);
  });

  it('begins anew in a log that was emptied', async () => {
    const path = await newLog('a long first boot');
    const log = followConsoleLog(path, { fromByte: 0 });
    await log.next();
    await truncate(path, 0);
    await appendFile(path, 'second');
    expect(await nextText(log)).toBe('second');
    await log.return(undefined as never);
  });

  it('goes on in the new log when it was rotated', async () => {
    const path = await newLog('x'.repeat(100));
    const log = followConsoleLog(path, { fromByte: 0 });
    await log.next();
    // Longer than the old one: only the file itself tells that it is another.
    await rotate(path, 'y'.repeat(200));
    expect(await nextText(log)).toBe('y'.repeat(200));
    await log.return(undefined as never);
  });

  // What came between the last look and the rotation lies in `.0`, and nobody reads it.
  it('loses nothing that was printed just before a rotation', async () => {
    const path = await newLog('one\n');
    const log = followConsoleLog(path, { fromByte: 0 });
    let seen = (await log.next()).value;
    await appendFile(path, 'two\n');
    await rotate(path, 'three\n');
    while (!seen.endsWith('three\n')) seen += (await log.next()).value;
    await log.return(undefined as never);
    expect(seen).toBe('one\ntwo\nthree\n');
  });

  it('joins a character that lies across two pieces', async () => {
    const bytes = Buffer.from('a€b');
    const path = await newLog(bytes.subarray(0, 2));
    const log = followConsoleLog(path, { fromByte: 0 });
    expect((await log.next()).value).toBe('a');
    await appendFile(path, bytes.subarray(2));
    expect(await nextText(log)).toBe('€b');
    await log.return(undefined as never);
  });

  it('is interrupted at once, also while it sleeps', async () => {
    const controller = new AbortController();
    const log = followConsoleLog(await newLog(''), { work: { signal: controller.signal } });
    await log.next();
    const next = log.next();
    controller.abort('SIGINT');
    expect((await launchErrorOf(next)).code).toBe('INTERRUPTED');
  });

  it('survives a log that vanishes for a while', async () => {
    const path = await newLog('one\n');
    const log = followConsoleLog(path, { fromByte: 0 });
    await log.next();
    await unlink(path);
    expect((await log.next()).value).toBe('');
    await writeFile(path, 'two, and more than there was\n');
    expect(await nextText(log)).toContain('more than there was\n');
    await log.return(undefined as never);
  });
});

describe('waitForConsole', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('returns the line that the pattern is in, without escape sequences', async () => {
    const path = await newLog('booting\r\n\x1b[1mFedora\x1b[0m login: \r\nmore\r\n');
    const line = await waitForConsole(path, /login:/, { fromByte: 0, timeoutMs: 5000, isAlive: alive });
    expect(line).toBe('Fedora login:');
  });

  it('returns a line that has no end yet, and one at the very start', async () => {
    const path = await newLog('login: ');
    const options = { fromByte: 0, timeoutMs: 5000, isAlive: alive };
    expect(await waitForConsole(path, /login:/, options)).toBe('login:');
    expect(await waitForConsole(path, /^login: $/m, options)).toBe('login:');
  });

  it('does not see what was printed before the byte to begin at', async () => {
    const path = await newLog('old login:\n');
    const options = { fromByte: await lengthOf(path), timeoutMs: 0, isAlive: alive };
    expect((await launchErrorOf(waitForConsole(path, /login:/, options))).code).toBe('WAIT_TIMEOUT');
  });

  it('finds a pattern that lies across two pieces', async () => {
    const path = await newLog('Fedora lo');
    const lines: string[] = [];
    const line = await waitForConsole(path, /login:/, {
      fromByte: 0,
      timeoutMs: 5000,
      isAlive: alive,
      onLine: (text) => {
        lines.push(text);
        appendFileSync(path, 'gin: ');
      },
    });
    expect([line, lines]).toEqual(['Fedora login:', ['Fedora lo']]);
  });

  it('ends after its time, and shows the last lines', async () => {
    const path = await newLog(Array.from({ length: 20 }, (_, index) => `line ${index}\r\n`).join(''));
    const options = { fromByte: 0, timeoutMs: 1, isAlive: alive };
    const error = await launchErrorOf(waitForConsole(path, /login:/, options));
    expect(error.code).toBe('WAIT_TIMEOUT');
    expect(error.message).toBe('the console did not print /login:/ within 0 s');
    expect(error.hint).toBe('its last lines:\n  line 15\n  line 16\n  line 17\n  line 18\n  line 19');
    expect(error.details?.['lastLines']).toHaveLength(10);
  });

  it('says that the image may not use the console when it printed nothing', async () => {
    const options = { fromByte: 0, timeoutMs: 1, isAlive: alive };
    const error = await launchErrorOf(waitForConsole(await newLog(), /login:/, options));
    expect(error.hint).toContain('printed nothing at all');
  });

  it('looks at the console once, even without any time', async () => {
    const options = { fromByte: 0, timeoutMs: 0, isAlive: alive };
    expect(await waitForConsole(await newLog('login:'), /login:/, options)).toBe('login:');
  });

  it('ends when the guest is gone, long before its time', async () => {
    let clock = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => (clock += 400));
    let asked = 0;
    const error = await launchErrorOf(
      waitForConsole(await newLog('Kernel panic\n'), /login:/, {
        fromByte: 0,
        timeoutMs: 3_600_000,
        isAlive: async () => {
          asked += 1;
          return false;
        },
      }),
    );
    expect([error.code, error.message, asked]).toEqual([
      'INSTANCE_STATE',
      'the guest stopped before its console printed /login:/',
      1,
    ]);
    expect(error.hint).toBe('its last lines:\n  Kernel panic');
  });

  it('goes on while the guest lives, and asks about once a second', async () => {
    const path = await newLog('booting\n');
    let clock = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => (clock += 600));
    const line = await waitForConsole(path, /login:/, {
      fromByte: 0,
      timeoutMs: 3_600_000,
      isAlive: async () => {
        await appendFile(path, 'login:\n');
        return true;
      },
    });
    expect(line).toBe('login:');
  });

  it('can be interrupted', async () => {
    const work = { signal: AbortSignal.abort('SIGINT') };
    const options = { fromByte: 0, timeoutMs: 5000, isAlive: alive, work };
    expect((await launchErrorOf(waitForConsole(await newLog(), /x/, options))).code).toBe('INTERRUPTED');
  });
});

describe('lastLines', () => {
  it.each([
    ['colours', '\x1b[0;32m  OK  \x1b[0m Started', ['  OK   Started']],
    ['what clears the screen and moves the cursor', '\x1bc\x1b[?7l\x1b[2J\x1b[1;1HSeaBIOS', ['SeaBIOS']],
    ['character sets and keypads', '\x1b(B\x1b)0\x1b=\x1b>login:', ['login:']],
    ['other controls', 'a\x07\x08\x00\x9bb\x7f', ['ab']],
  ])('leaves out %s', (_what, text, lines) => {
    expect(lastLines(text, 10)).toEqual(lines);
  });

  // systemd 257 and later frame every session on a console with OSC 3008; shells set titles with OSC 0.
  it.each([
    ['ended by a bell', '\x1b]0;root@guest\x07# '],
    ['ended by a string terminator', '\x1b]3008;start=1;user=root\x1b\\# '],
  ])('leaves out titles and contexts, %s', (_what, text) => {
    expect(lastLines(text, 10)).toEqual(['#']);
  });

  it('gives the last ones that have text', () => {
    expect(lastLines('one\r\n\r\ntwo\n   \nthree\n\n', 2)).toEqual(['two', 'three']);
    expect(lastLines('one\rtwo\r\r\nthree', 3)).toEqual(['one', 'two', 'three']);
    expect(lastLines('', 3)).toEqual([]);
  });
});

describe('lengthOf', () => {
  it('is in bytes, and 0 when there is no log', async () => {
    expect(await lengthOf(await newLog('größe'))).toBe(7);
    expect(await lengthOf(await newLog())).toBe(0);
  });
});
