import { LaunchError } from '../../host/launch-error.js';

const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * A host name (one label of RFC 1123) of a name that a person gave: `Web 1 (été)` becomes `web-1-ete`. Dots
 * become hyphens as in Nova: a name is not a domain.
 *
 * @param fallback what the name is made of when nothing of the first can be in a host name
 */
export function hostnameOf(name: string, fallback: string): string {
  const made = sanitize(name);
  return made === '' ? sanitize(fallback) || 'guest' : made;
}

function sanitize(name: string): string {
  return name
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 64)
    .replaceAll(/^-+/g, '')
    .slice(0, 63)
    .replaceAll(/-+$/g, '');
}

/**
 * A host name as it was asked for, with a domain behind it or not.
 *
 * @throws LaunchError ARGUMENT_INVALID
 */
export function checkHostname(name: string): string {
  const lower = name.toLowerCase();
  const labels = lower.split('.');
  // cloud-init takes an address for the lack of a name, and makes one of its own.
  const isAddress = /^\d+(\.\d+){3}$/.test(lower);
  if (lower.length <= 253 && labels.every((part) => label.test(part)) && !isAddress) return lower;
  throw new LaunchError('ARGUMENT_INVALID', `${JSON.stringify(name)} is no host name`, {
    hint: 'letters, digits and hyphens, at most 63 between dots, such as web-1 or web-1.example.com',
  });
}
