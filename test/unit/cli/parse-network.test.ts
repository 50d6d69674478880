import { describe, expect, it } from 'vitest';

import { parseNetwork, parseNetworks, parsePublish } from '../../../src/cli/parse-network.js';
import { launchErrorOf } from '../host/launch-error-of.js';

const bare = { macAddress: undefined, model: undefined };

describe('--network', () => {
  it.each([
    ['default', { kind: 'network', network: 'default', ...bare, address: undefined }],
    [
      'lab,mac=52:54:00:00:00:01,ip=10.0.0.5,model=e1000',
      {
        ...{ kind: 'network', network: 'lab', address: '10.0.0.5' },
        ...{ macAddress: '52:54:00:00:00:01', model: 'e1000' },
      },
    ],
    ['bridge=br0', { kind: 'bridge', bridge: 'br0', ...bare }],
    ['bridge=br0,model=virtio', { kind: 'bridge', bridge: 'br0', macAddress: undefined, model: 'virtio' }],
    ['user', { kind: 'user', ...bare }],
    ['user,model=e1000e', { kind: 'user', macAddress: undefined, model: 'e1000e' }],
    // For networks that are called like a word of ours.
    ['network=user', { kind: 'network', network: 'user', ...bare, address: undefined }],
    ['network=a=b', { kind: 'network', network: 'a=b', ...bare, address: undefined }],
  ])('takes %s', (text, expected) => {
    expect(parseNetwork(text)).toEqual(expected);
  });

  it.each([
    ['', 'it names no network'],
    ['bridge=', 'it names no network'],
    [',ip=10.0.0.5', 'it names no network'],
    ['bridge=br0,ip=10.0.0.5', 'ip= is kept by the DHCP server'],
    ['user,ip=10.0.2.20', 'ip= is kept by the DHCP server'],
    ['default,speed=3', '"speed=3" is no option of it'],
    ['default,ip=', '"ip=" is no option of it'],
    ['default,ip=10.0.0.5,ip=10.0.0.6', 'ip= is given twice'],
    ['none,model=virtio', 'none has no options'],
    ['ip=10.0.0.5', '"ip=10.0.0.5" is no network'],
  ])('refuses %j', async (text, words) => {
    const error = await launchErrorOf(() => parseNetwork(text));
    expect([error.code, error.message]).toEqual(['ARGUMENT_INVALID', expect.stringContaining(words)]);
    expect(error.hint).toContain('--network takes NAME, bridge=NAME, user or none');
  });

  it('is several interfaces in their order, or with none not one', async () => {
    expect(parseNetworks(['b', 'a', 'user'], undefined).networks).toMatchObject([
      { network: 'b' },
      { network: 'a' },
      { kind: 'user' },
    ]);
    expect(parseNetworks(['none'], undefined).networks).toEqual([]);
    expect(parseNetworks(undefined, undefined)).toEqual({ networks: undefined, publish: undefined });
    const error = await launchErrorOf(() => parseNetworks(['none', 'user'], undefined));
    expect(error.message).toBe('--network none leaves no place for another network');
  });
});

describe('--publish', () => {
  it.each([
    ['8080:80', { protocol: 'tcp', hostAddress: undefined, hostPort: 8080, guestPort: 80 }],
    ['0.0.0.0:8080:80', { protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080, guestPort: 80 }],
    ['0:53/udp', { protocol: 'udp', hostAddress: undefined, hostPort: 0, guestPort: 53 }],
    ['8443:443/tcp', { protocol: 'tcp', hostAddress: undefined, hostPort: 8443, guestPort: 443 }],
  ])('takes %s', (text, expected) => {
    expect(parsePublish(text)).toEqual(expected);
  });

  it.each(['80', '80:', ':80', ':80:80', '80:80/sctp', '[::1]:80:80', 'a:b', '8080:80 ', '-1:80'])(
    'refuses %j',
    async (text) => {
      const error = await launchErrorOf(() => parsePublish(text));
      expect([error.code, error.message]).toEqual([
        'ARGUMENT_INVALID',
        `cannot publish ${JSON.stringify(text)}`,
      ]);
    },
  );
});
