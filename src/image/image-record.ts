import * as v from 'valibot';
import { wholeNumber } from '../host/record.js';
import { diskFormats } from '../qemu-img/disk-format.js';
import { compressions } from './unpack/compression.js';

const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

/** What was published about the file as downloaded, and proved to be so. */
const verifiedSchema = v.strictObject({
  /**
   * `digest`: it was given. `checksums`: a list without a checked signature. `signature`: a signed list.
   * `image-signature`: a signature of the file itself, whose SHA-256 is in `digest`.
   */
  by: v.picklist(['digest', 'checksums', 'signature', 'image-signature']),
  algorithm: v.picklist(['sha256', 'sha512']),
  digest: v.pipe(v.string(), v.regex(/^([0-9a-f]{64}|[0-9a-f]{128})$/)),
  /** Where the list came from. */
  checksums: v.optional(v.string()),
  /** Fingerprint of the key that signed the list, or the file. */
  key: v.optional(v.string()),
});

export const imageRecordSchema = v.strictObject({
  id: v.pipe(v.string(), v.uuid()),
  name: v.string(),
  /** Found by our own header check, confirmed by qemu-img, never probed again. */
  format: v.picklist(diskFormats),
  /** Length of the file as imported, in bytes. */
  sizeBytes: wholeNumber,
  /** What a guest would see, in bytes. */
  virtualSizeBytes: wholeNumber,
  /** SHA-256 of the file as stored, in hexadecimal. */
  sha256,
  minDiskGib: wholeNumber,
  minRamMib: wholeNumber,
  properties: v.record(v.string(), v.string()),
  /** Where it came from, for people: an absolute path, `standard input`, or a URL without its secrets. */
  source: v.string(),
  /** The file as it came, where something was unpacked from it. */
  downloaded: v.optional(
    v.strictObject({
      sizeBytes: wholeNumber,
      sha256,
      compression: v.nullable(v.picklist(compressions)),
      archive: v.nullable(v.literal('vagrant-box')),
    }),
  ),
  /** null: it came over the network, and nothing vouches for it. Absent: from this host, and nobody asked. */
  verified: v.optional(v.nullable(verifiedSchema)),
  /** The entry of the catalogue that it was fetched for. */
  catalogue: v.optional(v.strictObject({ name: v.string(), architecture: v.string() })),
  /** ISO 8601, UTC. */
  createdAt: v.string(),
});

export type ImageRecord = Readonly<v.InferOutput<typeof imageRecordSchema>>;
