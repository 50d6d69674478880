import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { writeBytes } from '../../../../src/cli/terminal/write-bytes.js';

async function* pieces(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('one ');
  yield Buffer.from('two');
}

function streamThat(fails: string | undefined): Writable & { readonly written: Buffer[] } {
  const written: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk);
      done(fails === undefined ? null : Object.assign(new Error(fails), { code: fails }));
    },
  });
  return Object.assign(stream, { written });
}

describe('bytes as results', () => {
  it('are written whole, and the stream stays open', async () => {
    const stream = streamThat(undefined);
    await writeBytes(pieces(), stream);
    expect(Buffer.concat(stream.written).toString()).toBe('one two');
    expect(stream.writableEnded).toBe(false);
  });

  it('end as an interruption when the reader goes away', async () => {
    await expect(writeBytes(pieces(), streamThat('EPIPE'))).rejects.toMatchObject({ code: 'INTERRUPTED' });
  });

  it('hide no other failure', async () => {
    await expect(writeBytes(pieces(), streamThat('ENOSPC'))).rejects.toMatchObject({ code: 'ENOSPC' });
  });
});
