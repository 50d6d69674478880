import { LaunchError } from '../../host/launch-error.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Milliseconds for people: `40 ms`, `0.6 s`, `14.2 s`, `2 min 5 s`, `1 h 4 min`, `3 d 2 h`. */
export function formatDuration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < 100) return `${Math.floor(ms)} ms`;
  const tenths = Math.round(ms / 100);
  if (tenths < 600) return `${tenths / 10} s`;
  const seconds = Math.round(ms / SECOND);
  if (seconds < 3600) return twoParts(seconds, 60, ['min', 's']);
  const minutes = Math.round(ms / MINUTE);
  if (minutes < 1440) return twoParts(minutes, 60, ['h', 'min']);
  return twoParts(Math.round(ms / HOUR), 24, ['d', 'h']);
}

function twoParts(amount: number, per: number, [large, small]: readonly [string, string]): string {
  const rest = amount % per;
  const whole = `${Math.floor(amount / per)} ${large}`;
  return rest === 0 ? whole : `${whole} ${rest} ${small}`;
}

/** How long ago, from milliseconds: `just now`, `5 min ago`, `2 h ago`, `40 d ago`, `2 y ago`. */
export function formatAge(milliseconds: number): string {
  // Clocks of two hosts differ a little; more than that is worth seeing.
  if (milliseconds < -MINUTE) return 'in the future';
  if (milliseconds < MINUTE) return 'just now';
  if (milliseconds < HOUR) return `${Math.floor(milliseconds / MINUTE)} min ago`;
  if (milliseconds < 2 * DAY) return `${Math.floor(milliseconds / HOUR)} h ago`;
  if (milliseconds < 730 * DAY) return `${Math.floor(milliseconds / DAY)} d ago`;
  return `${Math.floor(milliseconds / (365 * DAY))} y ago`;
}

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: SECOND,
  m: MINUTE,
  min: MINUTE,
  h: HOUR,
};

// setTimeout takes 2^31-1 ms (24.8 days) at most and fires at once for more.
const LONGEST_DURATION = 24 * DAY;

/** Milliseconds from `60` (seconds), `500ms`, `90s`, `2m`, `1.5h`. Throws ARGUMENT_INVALID. */
export function parseDuration(text: string): number {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?) ?(ms|s|m|min|h)?$/.exec(text.trim()) ?? [];
  if (amount === undefined) {
    throw new LaunchError('ARGUMENT_INVALID', `${JSON.stringify(text)} is not a duration`, {
      hint: 'write seconds, or a number with ms, s, m or h:  60  90s  2m  1h',
    });
  }
  const milliseconds = Math.round(Number(amount) * (DURATION_UNITS[unit] ?? SECOND));
  if (milliseconds > LONGEST_DURATION) {
    throw new LaunchError('ARGUMENT_INVALID', `${JSON.stringify(text)} is too long: at most 24 days (576h)`);
  }
  return milliseconds;
}

/** A digest short enough to tell apart by eye: `5c2e01…9a01`. */
export function shortenDigest(digest: string): string {
  return digest.length <= 11 ? digest : `${digest.slice(0, 6)}…${digest.slice(-4)}`;
}

/**
 * A fraction as percent: `64 %`, `3.1 %`; one decimal below 10 when it is not whole. Rounded down, so that
 * 100 % means all of it; a trace is `<0.1 %`, never nothing.
 */
export function formatPercent(fraction: number): string {
  if (fraction > 0 && fraction < 0.001) return '<0.1 %';
  const tenths = Math.floor(fraction * 1000);
  return `${tenths < 100 ? tenths / 10 : Math.floor(tenths / 10)} %`;
}
