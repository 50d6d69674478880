import { LaunchError } from '../host/launch-error.js';

const msOfUnit: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Milliseconds from an age: `0`, `90m`, `12h`, `7d`, `2w`. Throws ARGUMENT_INVALID. */
export function parseAge(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?) ?(s|m|min|h|d|w)?$/.exec(text.trim()) ?? [];
  const scale = unit === undefined ? undefined : msOfUnit[unit];
  if (amount !== undefined && Number(amount) === 0) return 0;
  if (amount === undefined || scale === undefined) {
    throw new LaunchError('ARGUMENT_INVALID', `${JSON.stringify(text)} is not an age`, {
      hint: 'write a number with s, m, h, d or w:  90m  12h  7d  2w, or 0 for any age',
    });
  }
  return Math.round(Number(amount) * scale);
}

const powerOfUnit: Readonly<Record<string, number>> = { '': 0, K: 1, M: 2, G: 3, T: 4, P: 5 };

/** Bytes from `20GiB`, `20G`, `512MiB`, `1.5T` or plain bytes; all powers of 1024. Throws ARGUMENT_INVALID. */
export function parseBytes(text: string): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?) ?(?:([KMGTP])(?:iB)?|B)?$/.exec(text.trim()) ?? [];
  const bytes =
    amount === undefined ? Number.NaN : Math.round(Number(amount) * 1024 ** (powerOfUnit[unit] ?? 0));
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new LaunchError('ARGUMENT_INVALID', `${JSON.stringify(text)} is not a number of bytes`, {
    hint: 'write a number with MiB, GiB or TiB:  512MiB  20GiB  1.5TiB',
  });
}
