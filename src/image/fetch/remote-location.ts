import { LaunchError } from '../../host/launch-error.js';

/** A URL whose secrets are kept apart, so that neither a message nor a record can have them. */
export interface RemoteLocation {
  /** Without user, password and fragment. */
  readonly url: URL;
  /** The header that stands for user and password. */
  readonly authorization: string | undefined;
  /** For messages and records: a query can be a secret, too, so it is left out. */
  readonly shown: string;
  /** The last part of the path, decoded; empty when there is none. */
  readonly fileName: string;
}

export function isRemote(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
}

/** @throws LaunchError ARGUMENT_INVALID for what is no URL, and for http unless it is allowed */
export function parseRemoteLocation(
  text: string,
  options: { readonly allowHttp?: boolean | undefined } = {},
): RemoteLocation {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '') {
    throw new LaunchError('ARGUMENT_INVALID', `"${withoutSecrets(text)}" is not a URL`, {
      hint: 'a URL looks like https://example.org/disk.qcow2',
    });
  }
  const authorization =
    url.username === '' && url.password === ''
      ? undefined
      : `Basic ${Buffer.from(`${decode(url.username)}:${decode(url.password)}`).toString('base64')}`;
  url.username = '';
  url.password = '';
  url.hash = '';
  const shown = showUrl(url);
  checkProtocol(url, shown, options.allowHttp ?? false);
  return { url, authorization, shown, fileName: decode(url.pathname.split('/').at(-1) ?? '') };
}

/** Where a redirect leads; credentials stay with the server they were given for. */
export function redirectedLocation(
  from: RemoteLocation,
  target: string,
  options: { readonly allowHttp?: boolean | undefined },
): RemoteLocation {
  const refuse = (why: string) =>
    new LaunchError('DOWNLOAD_FAILED', `cannot download "${from.shown}": the server redirects ${why}`);
  if (!URL.canParse(target, from.url.href)) throw refuse('to what is no URL');
  const url = new URL(target, from.url);
  const authorization = url.origin === from.url.origin ? from.authorization : undefined;
  url.username = '';
  url.password = '';
  url.hash = '';
  const shown = showUrl(url);
  if (from.url.protocol === 'https:' && url.protocol === 'http:') {
    throw refuse(`from https to http ("${shown}"), where anyone on the way could change what comes`);
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && options.allowHttp === true)) {
    throw refuse(`to ${url.protocol.slice(0, -1)} ("${shown}")`);
  }
  return { url, authorization, shown, fileName: from.fileName };
}

function checkProtocol(url: URL, shown: string, allowHttp: boolean): void {
  if (url.protocol === 'https:' || (url.protocol === 'http:' && allowHttp)) return;
  if (url.protocol === 'http:') {
    throw new LaunchError(
      'ARGUMENT_INVALID',
      `cannot download "${shown}": over http anyone on the way could change what comes`,
      { hint: 'use https, or, with a digest or a signature to check it by, --allow-http' },
    );
  }
  throw new LaunchError(
    'ARGUMENT_INVALID',
    `cannot download "${shown}": ${url.protocol.slice(0, -1)} is not a way to download`,
    { hint: 'use https' },
  );
}

function showUrl(url: URL): string {
  const shown = new URL(url);
  const hasQuery = shown.search !== '';
  shown.search = '';
  return hasQuery ? `${shown.href}?…` : shown.href;
}

/** For a text that cannot be parsed: whatever stands before an @ may be a password. */
function withoutSecrets(text: string): string {
  return text.replace(/\/\/.*@/s, '//…@').replace(/\?.*$/s, '?…');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
