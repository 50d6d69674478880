import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';

import { LaunchError } from '../host/launch-error.js';
import { invalid, maxTemplateBytes, readTemplate } from './read-template.js';
import { findElement, textOf } from './xml-element.js';

export interface Template {
  readonly name: string;
  readonly path: string;
  readonly xml: string;
}

export interface ListedTemplate {
  readonly name: string;
  readonly path: string;
  /** From the document itself; undefined when it has none or cannot be used. */
  readonly description: string | undefined;
  /** Why it cannot be used; undefined for a good one. */
  readonly problem: string | undefined;
}

/**
 * Finds a template by its name in the directory, or reads a file: what contains a slash or ends in `.xml`
 * is a file, everything else is a name and never a path.
 * @throws LaunchError TEMPLATE_NOT_FOUND, TEMPLATE_INVALID, FILE_SYSTEM
 */
export async function loadTemplate(
  nameOrFile: string,
  options: { readonly templatesDirectory: string },
): Promise<Template> {
  const isFile = nameOrFile.includes('/') || nameOrFile.endsWith('.xml');
  const path = isFile ? resolve(nameOrFile) : await findByName(nameOrFile, options.templatesDirectory);
  const xml = await readTemplateFile(path, nameOrFile);
  readTemplate(xml, path);
  return { name: basename(path, '.xml'), path, xml };
}

/** All templates of a directory by name, those that cannot be used among them; none if it is missing. */
export async function listTemplates(directory: string): Promise<ListedTemplate[]> {
  const names = await listNames(directory);
  return Promise.all(names.map((name) => describeTemplate(name, join(directory, `${name}.xml`))));
}

/** @throws LaunchError TEMPLATE_INVALID when `xml` cannot serve as a template */
export function checkTemplate(xml: string): void {
  readTemplate(xml);
}

async function describeTemplate(name: string, path: string): Promise<ListedTemplate> {
  try {
    const domain = readTemplate(await readTemplateFile(path, name), path);
    const description = textOf(findElement(domain, 'description'))?.trim().replace(/\s+/g, ' ');
    return { name, path, description, problem: undefined };
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    return { name, path, description: undefined, problem: error.message };
  }
}

async function findByName(name: string, directory: string): Promise<string> {
  const names = await listNames(directory);
  if (names.includes(name)) return join(directory, `${name}.xml`);
  const there = names.length === 0 ? `there are none in "${directory}"` : `there are: ${names.join(', ')}`;
  throw notFound(name, `no such template; ${there}`);
}

async function listNames(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory);
    return entries
      .filter((entry) => entry.endsWith('.xml') && !entry.startsWith('.'))
      .map((entry) => basename(entry, '.xml'))
      .sort();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw new LaunchError('FILE_SYSTEM', `cannot list the templates in "${directory}": ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function readTemplateFile(path: string, nameOrFile: string): Promise<string> {
  try {
    // Without O_NONBLOCK the opening of a named pipe would wait for its writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const status = await file.stat();
      if (!status.isFile()) throw invalid(path, 'it is not a regular file');
      if (status.size > maxTemplateBytes) throw invalid(path, 'it is larger than 1 MiB');
      return new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile());
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof LaunchError) throw error;
    if (error instanceof TypeError) throw invalid(path, 'it is not UTF-8 text', error);
    if (codeOf(error) === 'ENOENT') throw notFound(nameOrFile, `there is no file "${path}"`, error);
    throw new LaunchError('FILE_SYSTEM', `cannot read the template "${path}": ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function notFound(nameOrFile: string, why: string, cause?: unknown): LaunchError {
  return new LaunchError('TEMPLATE_NOT_FOUND', `cannot use the template "${nameOrFile}": ${why}`, {
    hint: 'a name is one of those listed; a file contains a slash or ends in .xml',
    cause,
  });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
