import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LaunchError } from '../../../../src/host/launch-error.js';
import { inspectHeader } from '../../../../src/image/header/inspect-header.js';
import type { HostileFile } from '../../../support/hostile-images/hostile-file.js';

/** A temporary directory for the tests of a file, as a function that gives a path in it. */
export function temporaryDirectory(): (name: string) => string {
  let directory = '';
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'launch-header-'));
  });
  afterAll(async () => {
    await rm(directory, { recursive: true });
  });
  return (name) => join(directory, name);
}

/** Waits for a refusal and returns it. Any other error, or none, fails the test. */
export async function refusalOf(promise: Promise<unknown>): Promise<LaunchError> {
  const outcome = await promise.then(
    (value: unknown) => value,
    (error: unknown) => error,
  );
  if (outcome instanceof LaunchError) return outcome;
  if (outcome instanceof Error) throw outcome;
  throw new Error(`accepted: ${JSON.stringify(outcome)}`);
}

/** One test a file: it is refused with its code, by the name that the user gave it, with a hint. */
export function testHostileFiles(title: string, files: readonly HostileFile[]): void {
  describe(title, () => {
    const pathOf = temporaryDirectory();
    it.each(files.map((file) => [file.name, file.code, file] as const))(
      '%s: %s',
      async (_name, code, file) => {
        const path = pathOf('upload.part');
        await writeFile(path, file.bytes());
        const refusal = await refusalOf(
          inspectHeader(path, { displayName: 'evil.img', declaredFormat: file.declaredFormat }),
        );
        expect({ code: refusal.code, message: refusal.message }).toMatchObject({ code });
        expect(refusal.message).toMatch(/^refused "evil\.img": /);
        expect(refusal.message).not.toMatch(/\.$|[\0-\x1f\x7f]/);
        expect(refusal.hint).toBeTruthy();
        if (file.says !== undefined) expect(refusal.message).toContain(file.says);
      },
    );
  });
}
