import { LaunchError } from '../../host/launch-error.js';
import { redirectedLocation, type RemoteLocation } from './remote-location.js';
import type { RemoteResponse, Transport } from './transport.js';

const maximumRedirects = 5;
const redirectStatuses: readonly number[] = [301, 302, 303, 307, 308];

/** Asks for a file and follows redirects. @throws LaunchError DOWNLOAD_FAILED for one redirect too many, or a bad one */
export async function openRemote(
  transport: Transport,
  location: RemoteLocation,
  options: {
    readonly headers: Readonly<Record<string, string>>;
    readonly allowHttp?: boolean | undefined;
    readonly signal: AbortSignal;
  },
): Promise<RemoteResponse> {
  let at = location;
  for (let redirects = 0; ; redirects += 1) {
    const response = await transport(at.url, {
      headers: {
        // A content encoding would change the bytes that a digest and a range speak of.
        'accept-encoding': 'identity',
        'user-agent': 'launch',
        ...options.headers,
        ...(at.authorization === undefined ? {} : { authorization: at.authorization }),
      },
      signal: options.signal,
    });
    const target = response.header('location');
    if (!redirectStatuses.includes(response.status) || target === undefined) return response;
    response.close();
    if (redirects === maximumRedirects) {
      throw new LaunchError(
        'DOWNLOAD_FAILED',
        `cannot download "${location.shown}": it is redirected more than ${maximumRedirects} times`,
      );
    }
    at = redirectedLocation(at, target, options);
  }
}
