/**
 * What user-data is, by its first line as cloud-init tells it (cloudinit/handlers/__init__.py), with the MIME
 * type of a part of that kind. `whole` is for other programs than cloud-init: it stands alone.
 */
export type UserDataKind =
  | { readonly kind: 'cloud-config'; readonly type: 'text/cloud-config' }
  | { readonly kind: 'multipart' }
  | { readonly kind: 'jinja'; readonly type: 'text/jinja2' }
  | { readonly kind: 'json-patch'; readonly type: 'text/cloud-config-jsonp' }
  | { readonly kind: 'archive'; readonly type: 'text/cloud-config-archive' }
  | {
      readonly kind: 'script' | 'include' | 'boothook' | 'part-handler';
      readonly type: string;
    }
  | { readonly kind: 'ignition' | 'cloudbase' };

const starts: readonly (readonly [string, UserDataKind])[] = [
  ['## template: jinja', { kind: 'jinja', type: 'text/jinja2' }],
  ['#cloud-config-archive', { kind: 'archive', type: 'text/cloud-config-archive' }],
  ['#cloud-config-jsonp', { kind: 'json-patch', type: 'text/cloud-config-jsonp' }],
  ['#cloud-config', { kind: 'cloud-config', type: 'text/cloud-config' }],
  ['#include-once', { kind: 'include', type: 'text/x-include-once-url' }],
  ['#include', { kind: 'include', type: 'text/x-include-url' }],
  ['#cloud-boothook', { kind: 'boothook', type: 'text/cloud-boothook' }],
  ['#part-handler', { kind: 'part-handler', type: 'text/part-handler' }],
  ['#!', { kind: 'script', type: 'text/x-shellscript' }],
  ['#ps1', { kind: 'cloudbase' }],
  ['<powershell>', { kind: 'cloudbase' }],
  ['rem cmd', { kind: 'cloudbase' }],
];

/** Undefined for what nobody in a guest would take. */
export function userDataKind(text: string): UserDataKind | undefined {
  const start = text.trimStart().slice(0, 4096).toLowerCase();
  const found = starts.find(([prefix]) => start.startsWith(prefix));
  if (found !== undefined) return found[1];
  // cloud-init looks for this header anywhere in the first 4096 bytes.
  if (/^mime-version:/m.test(start)) return { kind: 'multipart' };
  return isIgnition(text) ? { kind: 'ignition' } : undefined;
}

function isIgnition(text: string): boolean {
  if (!text.trimStart().startsWith('{')) return false;
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && 'ignition' in parsed;
  } catch {
    return false;
  }
}

/** Why it is none, as far as its beginning tells. */
export function hintOfUnknown(text: string): string {
  const first = text.trimStart().split('\n')[0] ?? '';
  if (/^#\s*cloud[-_ ]?config/i.test(first)) return 'its first line has to be exactly:  #cloud-config';
  if (/^content-type:/im.test(text.slice(0, 4096)))
    return 'a multipart message needs the header:  MIME-Version: 1.0';
  if (/^[\w-]+:(\s|$)/m.test(text))
    return 'if it is a cloud-config, its first line has to be:  #cloud-config';
  return 'it begins with #cloud-config, #!, #include, ## template: jinja, #cloud-boothook, or is a multipart message';
}
