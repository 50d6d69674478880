import { describe, expect, it } from 'vitest';
import { LaunchError } from '../../../../src/host/launch-error.js';
import { ImageFile } from '../../../../src/image/header/image-file.js';
import { inspectImageFile } from '../../../../src/image/header/inspect-header.js';
import { mutantSubjects, mutate, numbersBelow } from '../../../support/hostile-images/mutants.js';
import { CountedSource } from '../../../support/image-files.js';

const mutantsPerFormat = 2000;
const mostBytesRead = 8 * 1024 * 1024;
const largestRead = 1024 * 1024;
const longestMilliseconds = 2000;

/** @returns the code of the refusal, or `accepted` */
async function judge(bytes: Buffer): Promise<string> {
  const source = new CountedSource(bytes);
  const begun = performance.now();
  try {
    const report = await inspectImageFile(new ImageFile('mutant', source), undefined);
    expect(Number.isSafeInteger(report.virtualSizeBytes)).toBe(true);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    return error.code;
  } finally {
    expect(performance.now() - begun).toBeLessThan(longestMilliseconds);
    expect(source.bytesRead).toBeLessThanOrEqual(mostBytesRead);
    expect(source.largestReadBytes).toBeLessThanOrEqual(largestRead);
  }
}

describe(`${mutantsPerFormat} mutants of each format are accepted or refused, never worse`, () => {
  it.each(mutantSubjects.map((subject) => [subject.name, subject] as const))(
    '%s',
    async (_name, subject) => {
      expect(await judge(subject.original)).toBe('accepted');
      const below = numbersBelow(20120401);
      const outcomes = new Map<string, number>();
      for (let index = 0; index < mutantsPerFormat; index += 1) {
        const mutant = mutate(subject, below);
        const outcome = await judge(mutant).catch((error: unknown) => {
          throw new Error(`mutant ${index} of ${subject.name}`, { cause: error });
        });
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
      // If all mutants had one outcome, the mutations would not reach what is checked.
      expect(outcomes.size).toBeGreaterThan(2);
    },
    120_000,
  );
});
