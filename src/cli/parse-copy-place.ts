import type { CopyPlace } from '../instance/login/copy-files.js';

/**
 * `NAME:PATH` is in a guest, all else on this host; as with scp a colon behind a slash is part of a path
 * (`./a:b`).
 */
export function parseCopyPlace(text: string): CopyPlace {
  const colon = text.indexOf(':');
  if (colon < 1 || text.slice(0, colon).includes('/')) return { kind: 'host', path: text };
  return { kind: 'guest', instance: text.slice(0, colon), path: text.slice(colon + 1) };
}
