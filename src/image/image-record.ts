import * as v from 'valibot';
import { wholeNumber } from '../host/record.js';
import { diskFormats } from '../qemu-img/disk-format.js';

export const imageRecordSchema = v.strictObject({
  id: v.pipe(v.string(), v.uuid()),
  name: v.string(),
  /** Found by our own header check, confirmed by qemu-img, never probed again. */
  format: v.picklist(diskFormats),
  /** Length of the file as imported, in bytes. */
  sizeBytes: wholeNumber,
  /** What a guest would see, in bytes. */
  virtualSizeBytes: wholeNumber,
  /** SHA-256 of the file as imported, in hexadecimal. */
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  minDiskGib: wholeNumber,
  minRamMib: wholeNumber,
  properties: v.record(v.string(), v.string()),
  /** Where it came from, for people: an absolute path, or `standard input`. */
  source: v.string(),
  /** ISO 8601, UTC. */
  createdAt: v.string(),
});

export type ImageRecord = Readonly<v.InferOutput<typeof imageRecordSchema>>;
