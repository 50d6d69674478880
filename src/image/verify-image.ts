import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { HomePaths } from '../host/paths.js';
import { fileSystemError } from '../host/system-error.js';
import { formatBytes } from '../host/units.js';
import { checkInterrupted, runStep, type Work } from '../host/work.js';
import type { ImageRecord } from './image-record.js';

/** Reads the stored file again and compares its SHA-256 with the record's. */
export async function verifyImage(
  home: HomePaths,
  image: ImageRecord,
  work: Work = {},
): Promise<{ readonly sha256: string; readonly matches: boolean }> {
  const path = home.image(image.id).file(image.format);
  const hash = createHash('sha256');
  await runStep(
    work,
    'verify',
    `reading ${image.name}`,
    async (progress) => {
      let doneBytes = 0;
      try {
        for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
          checkInterrupted(work);
          hash.update(chunk as Buffer);
          doneBytes += (chunk as Buffer).length;
          progress(`reading ${image.name}`, doneBytes, image.sizeBytes);
        }
      } catch (error) {
        throw fileSystemError('read', path, error);
      }
    },
    () => `${formatBytes(image.sizeBytes)} read`,
  );
  const sha256 = hash.digest('hex');
  return { sha256, matches: sha256 === image.sha256 };
}
