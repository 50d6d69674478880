import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';

import { readRecord, renderRecord, wholeNumber } from '../../../src/host/record.js';
import { launchErrorOf } from './launch-error-of.js';
import { newHome } from './new-home.js';

const schema = v.strictObject({
  name: v.string(),
  sizeBytes: wholeNumber,
  inside: v.optional(v.strictObject({ list: v.array(v.string()) })),
});

async function recordOf(content: string): Promise<string> {
  const { root } = await newHome();
  const path = join(root, 'record.json');
  await writeFile(path, content);
  return path;
}

describe('a record', () => {
  it('is read as it was written', async () => {
    const record = { name: 'größe "x"', sizeBytes: 2 ** 53 - 1, inside: { list: ['a'] } };
    const text = renderRecord(record);
    expect(text.endsWith('}\n')).toBe(true);
    expect(readRecord(await recordOf(text), schema)).toEqual(record);
  });

  it('is undefined when there is none', async () => {
    const { root } = await newHome();
    expect(readRecord(join(root, 'record.json'), schema)).toBeUndefined();
    expect(readRecord(join(root, 'nowhere', 'record.json'), schema)).toBeUndefined();
  });

  it.each([
    ['nothing', ''],
    ['half of it', '{"name":"a","size'],
    ['something else', 'not JSON at all'],
    ['bytes that are no text', '\ufffd\0'],
  ])('is refused when its file holds %s', async (_what, content) => {
    const path = await recordOf(content);
    const error = await launchErrorOf(() => readRecord(path, schema));
    expect([error.code, error.message]).toEqual(['RECORD_INVALID', `the record "${path}" is not JSON`]);
    expect(error.details).toEqual({ path });
    expect(error.cause).toBeInstanceOf(SyntaxError);
  });

  it.each([
    ['a field that is missing', { name: 'a' }, ' at "sizeBytes"'],
    ['a field that nobody knows', { name: 'a', sizeBytes: 1, owner: 'me' }, ' at "owner"'],
    ['a wrong type', { name: 7, sizeBytes: 1 }, ' at "name"'],
    ['a size below zero', { name: 'a', sizeBytes: -1 }, ' at "sizeBytes"'],
    ['a size with a fraction', { name: 'a', sizeBytes: 1.5 }, ' at "sizeBytes"'],
    ['a size that is not exact', { name: 'a', sizeBytes: 2 ** 53 }, ' at "sizeBytes"'],
    ['a size as text', { name: 'a', sizeBytes: '1' }, ' at "sizeBytes"'],
    ['damage deep inside', { name: 'a', sizeBytes: 1, inside: { list: ['a', 7] } }, ' at "inside.list.1"'],
    ['a list', [], ' at "name"'],
    ['null', null, ''],
  ])('is refused for %s, and says where', async (_what, content, where) => {
    const path = await recordOf(JSON.stringify(content));
    const error = await launchErrorOf(() => readRecord(path, schema));
    expect(error.code).toBe('RECORD_INVALID');
    expect(error.message.startsWith(`the record "${path}" is damaged${where}: `)).toBe(true);
  });

  it('is refused when a directory has its name', async () => {
    const { root } = await newHome();
    await mkdir(join(root, 'record.json'));
    expect((await launchErrorOf(() => readRecord(join(root, 'record.json'), schema))).code).toBe(
      'FILE_SYSTEM',
    );
  });

  it('never lets a field reach the prototype', async () => {
    const path = await recordOf('{"name":"a","sizeBytes":1,"__proto__":{"polluted":true}}');
    const read = await Promise.resolve()
      .then(() => readRecord(path, schema))
      .catch(() => ({}));
    expect(read).not.toHaveProperty('polluted');
    expect({}).not.toHaveProperty('polluted');
  });
});
