import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { LaunchError } from '../../../src/host/launch-error.js';
import { checkTemplate, listTemplates, loadTemplate } from '../../../src/domain/template.js';
import { readTemplateXml, templateNames, templatesDirectory as ours } from './domain-cases.js';

const good = '<domain><description>\n  a  good\n one </description><os><type>hvm</type></os></domain>';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'launch-template-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function failure(promise: Promise<unknown>): Promise<LaunchError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LaunchError);
  return error as LaunchError;
}

describe('loadTemplate', () => {
  const load = (nameOrFile: string): ReturnType<typeof loadTemplate> =>
    loadTemplate(nameOrFile, { templatesDirectory: directory });

  it('finds a template by its name', async () => {
    await writeFile(join(directory, 'good.xml'), good);
    expect(await load('good')).toEqual({ name: 'good', path: join(directory, 'good.xml'), xml: good });
  });

  it('reads a file by its path, also through a link', async () => {
    await writeFile(join(directory, 'good.xml'), good);
    await symlink('good.xml', join(directory, 'link'));
    expect(await load(join(directory, 'link'))).toMatchObject({ name: 'link', xml: good });
  });

  it('names the templates there are when there is none of that name', async () => {
    await writeFile(join(directory, 'b.xml'), good);
    await writeFile(join(directory, 'a.xml'), good);
    const error = await failure(load('linus'));
    expect(error.code).toBe('TEMPLATE_NOT_FOUND');
    expect(error.message).toContain('"linus"');
    expect(error.message).toContain('a, b');
  });

  it.each(['..', '.', '', '__proto__', 'a\0b'])('takes the name %j for no path', async (name) => {
    expect(await failure(load(name))).toMatchObject({ code: 'TEMPLATE_NOT_FOUND' });
  });

  it('says that a file is missing', async () => {
    expect(await failure(load(join(directory, 'none.xml')))).toMatchObject({ code: 'TEMPLATE_NOT_FOUND' });
  });

  it.each([
    ['a directory', (): string => '.'],
    ['a device', (): string => '/dev/zero'],
  ])('refuses %s', async (_, path) => {
    expect(await failure(load(`${path()}/`.replace('zero/', 'zero')))).toMatchObject({
      code: 'TEMPLATE_INVALID',
    });
  });

  it('refuses a file that is too large before reading it', async () => {
    await writeFile(join(directory, 'large.xml'), `${good}${' '.repeat(1024 * 1024)}`);
    expect((await failure(load('large'))).message).toContain('1 MiB');
  });

  it('refuses a file that is not UTF-8', async () => {
    await writeFile(join(directory, 'latin.xml'), Buffer.from([0x3c, 0xe9, 0x3e]));
    expect((await failure(load('latin'))).message).toContain('UTF-8');
  });
});

describe('listTemplates', () => {
  it('lists ours with their descriptions', async () => {
    const listed = await listTemplates(fileURLToPath(ours));
    expect(listed.map(({ name }) => name)).toEqual([...templateNames].sort());
    for (const { description, problem } of listed) {
      expect(description).toMatch(/^\w.{20,90}$/);
      expect(problem).toBeUndefined();
    }
  });

  it('lists one that cannot be used with its problem, and one without a description', async () => {
    await writeFile(join(directory, 'good.xml'), good);
    await writeFile(join(directory, 'bad.xml'), '<domain>');
    await writeFile(join(directory, 'silent.xml'), '<domain><os><type>hvm</type></os></domain>');
    await writeFile(join(directory, '.hidden.xml'), good);
    await writeFile(join(directory, 'README.md'), '');
    expect(await listTemplates(directory)).toMatchObject([
      { name: 'bad', description: undefined, problem: expect.stringContaining('line 1') as unknown },
      { name: 'good', description: 'a good one', problem: undefined },
      { name: 'silent', description: undefined, problem: undefined },
    ]);
  });

  it('lists nothing where there is no directory', async () => {
    expect(await listTemplates(join(directory, 'none'))).toEqual([]);
  });
});

describe('checkTemplate', () => {
  it.each(templateNames)('takes %s', (name) => {
    checkTemplate(readTemplateXml(name));
  });

  it.each([
    ['<domain>\n<os>\n</domain>', 'line 3'],
    ['<!DOCTYPE domain [<!ENTITY a "b">]><domain/>', 'DOCTYPE'],
    ['<network/>', '<network>'],
    ['<domain/>', '<os>'],
    ['<domain><os><type>exe</type></os></domain>', '"exe"'],
    [`<domain><os><type>hvm</type></os>${'é'.repeat(600_000)}</domain>`, '1 MiB'],
  ])('refuses %.60s', (xml, why) => {
    expect(() => {
      checkTemplate(xml);
    }).toThrow(
      expect.objectContaining({ code: 'TEMPLATE_INVALID', message: expect.stringContaining(why) as unknown }),
    );
  });
});
