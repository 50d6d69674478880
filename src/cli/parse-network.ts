import { LaunchError } from '../host/launch-error.js';
import type { NetworkRequest, PublishedPort } from '../instance/networks/plan-interfaces.js';

interface AskedNetworks {
  readonly networks: readonly NetworkRequest[] | undefined;
  readonly publish: readonly PublishedPort[] | undefined;
}

/** What --network and --publish ask for, each as often as it was given. @throws LaunchError ARGUMENT_INVALID */
export function parseNetworks(
  networks: readonly string[] | undefined,
  publish: readonly string[] | undefined,
): AskedNetworks {
  return { networks: parseAll(networks), publish: publish?.map(parsePublish) };
}

function parseAll(texts: readonly string[] | undefined): readonly NetworkRequest[] | undefined {
  if (texts === undefined) return undefined;
  if (!texts.includes('none')) return texts.map(parseNetwork);
  if (texts.length === 1) return [];
  throw new LaunchError('ARGUMENT_INVALID', '--network none leaves no place for another network');
}

/**
 * `NAME`, `bridge=br0` or `user`, with `,mac=`, `,ip=`, `,model=` behind; `network=NAME` for a network that is
 * called like one of the words.
 *
 * @throws LaunchError ARGUMENT_INVALID
 */
export function parseNetwork(text: string): NetworkRequest {
  const [first = '', ...rest] = text.split(',');
  const options = parseOptions(text, rest);
  const common = { macAddress: options.get('mac'), model: options.get('model') };
  const address = options.get('ip');
  const [, word, name = ''] = /^(bridge|network)=(.*)$/.exec(first) ?? [];
  if ((word === undefined ? first : name) === '') throw unknown(text, 'it names no network');
  if (word === undefined && first.includes('=')) throw unknown(text, `"${first}" is no network`);
  if (word === undefined && first === 'none') throw unknown(text, 'none has no options');
  if (word === 'bridge' || (word === undefined && first === 'user')) {
    if (address !== undefined) {
      throw unknown(text, "ip= is kept by the DHCP server of one of libvirt's networks, and there is none");
    }
    return word === 'bridge' ? { kind: 'bridge', bridge: name, ...common } : { kind: 'user', ...common };
  }
  return { kind: 'network', network: word === undefined ? first : name, ...common, address };
}

function parseOptions(text: string, options: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const option of options) {
    const [, key, value] = /^(mac|ip|model)=(.+)$/.exec(option) ?? [];
    if (key === undefined || value === undefined) throw unknown(text, `"${option}" is no option of it`);
    if (found.has(key)) throw unknown(text, `${key}= is given twice`);
    found.set(key, value);
  }
  return found;
}

function unknown(text: string, reason: string): LaunchError {
  return new LaunchError('ARGUMENT_INVALID', `cannot use the network ${JSON.stringify(text)}: ${reason}`, {
    hint: '--network takes NAME, bridge=NAME, user or none, for example:  --network default,ip=192.168.122.50',
  });
}

/** `8080:80`, `0.0.0.0:8080:80`, `5353:53/udp`; host port 0 is any that is free. @throws LaunchError ARGUMENT_INVALID */
export function parsePublish(text: string): PublishedPort {
  const [, , hostAddress, hostPort, guestPort, protocol = 'tcp'] =
    /^(([^:]*):)?(\d{1,5}):(\d{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? [];
  if (hostPort === undefined || guestPort === undefined || hostAddress === '') {
    throw new LaunchError('ARGUMENT_INVALID', `cannot publish ${JSON.stringify(text)}`, {
      hint: '--publish takes [ADDRESS:]HOSTPORT:GUESTPORT[/udp], for example:  --publish 8080:80   --publish 0.0.0.0:8080:80',
    });
  }
  return {
    protocol: protocol === 'udp' ? 'udp' : 'tcp',
    hostAddress,
    hostPort: Number(hostPort),
    guestPort: Number(guestPort),
  };
}
