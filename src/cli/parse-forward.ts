import { LaunchError } from '../host/launch-error.js';

/**
 * ssh's `-L` for `[ADDRESS:]PORT:[HOST:]PORT`: a port here, and what it leads to as the guest sees it, by
 * default the guest itself. IPv6 addresses stand in brackets.
 *
 * @throws LaunchError ARGUMENT_INVALID
 */
export function parseForward(text: string): string {
  const name = String.raw`[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\]|\*`;
  const pattern = new RegExp(`^(?:(${name}):)?(\\d{1,5}):(?:(${name}):)?(\\d{1,5})$`);
  const [, address = '127.0.0.1', port, host = 'localhost', guestPort] = pattern.exec(text) ?? [];
  const isPort = (digits: string | undefined) => Number(digits) >= 1 && Number(digits) <= 65_535;
  if (isPort(port) && isPort(guestPort)) return `${address}:${port}:${host}:${guestPort}`;
  throw new LaunchError('ARGUMENT_INVALID', `cannot forward ${JSON.stringify(text)}`, {
    hint: '--forward takes PORT:PORT (here, in the guest) or [ADDRESS:]PORT:HOST:PORT, as ssh -L',
  });
}
