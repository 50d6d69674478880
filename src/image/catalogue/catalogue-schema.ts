import * as v from 'valibot';

/** A name can be typed, is a file name of a lock, and is never an id or the start of one. */
const name = v.pipe(
  v.string(),
  v.regex(/^[a-z][a-z0-9]*([._-][a-z0-9]+)*$/, 'a name has small letters, digits, and . _ - between them'),
  v.maxLength(64),
);

/** In a place's directory: `{arch}` stands for the architecture's own word. */
const fileName = v.pipe(v.string(), v.regex(/^[^/?#]+$/, 'a file has no / in its name'));

const keySchema = v.strictObject({
  owner: v.optional(v.string()),
  /** Of the primary key, in hexadecimal. */
  fingerprint: v.pipe(v.string(), v.regex(/^[0-9A-Fa-f]{40}$/, 'a fingerprint has 40 hexadecimal digits')),
  /** The key as `gpg --export-options export-minimal --export` writes it, in base64. */
  key: v.optional(v.pipe(v.string(), v.base64())),
  /** Or a file with it, binary or armored: a path. */
  file: v.optional(v.string()),
});

const entrySchema = v.strictObject({
  title: v.string(),
  /** Directories, tried in turn when a file is not there. */
  places: v.pipe(v.array(v.pipe(v.string(), v.url(), v.endsWith('/'))), v.minLength(1)),
  file: fileName,
  /** The list of digests that lies beside the file. */
  checksums: fileName,
  /** The list's signature: a file beside it, or `inline` when the list is clear-signed. */
  signature: v.optional(fileName),
  /** The names of the keys that may sign. */
  keys: v.optional(v.array(v.string())),
  architectures: v.partial(v.strictObject({ amd64: v.string(), arm64: v.string() })),
  /** http:// places, for a mirror on one's own network. */
  allowHttp: v.optional(v.boolean()),
  minDiskGib: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
  minRamMib: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
  properties: v.optional(v.record(v.string(), v.string())),
});

export const catalogueSchema = v.strictObject({
  keys: v.optional(v.record(v.string(), keySchema)),
  images: v.record(name, entrySchema),
});

export type CatalogueFile = v.InferOutput<typeof catalogueSchema>;
export type EntryData = v.InferOutput<typeof entrySchema>;
export type KeyData = v.InferOutput<typeof keySchema>;
