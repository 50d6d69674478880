import { describe, expect, it } from 'vitest';

import {
  planInterfaces,
  type NetworkRequest,
  type PublishedPort,
} from '../../../../src/instance/networks/plan-interfaces.js';
import { launchErrorOf } from '../../host/launch-error-of.js';

const macAddresses = Array.from({ length: 9 }, (_, index) => `52:54:00:00:00:0${index}`);

function plan(
  networks?: readonly NetworkRequest[],
  publish?: readonly PublishedPort[],
  properties: Readonly<Record<string, string>> = {},
) {
  const defaultNetwork = { kind: 'network', network: 'default' } as const;
  return planInterfaces({ networks, publish }, { macAddresses, defaultNetwork, image: { properties } });
}

const user: NetworkRequest = { kind: 'user' };
const ssh = { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 0, guestPort: 22 } as const;

async function refusal(...args: Parameters<typeof plan>): Promise<string> {
  const error = await launchErrorOf(() => plan(...args));
  expect(error.code).toBe('ARGUMENT_INVALID');
  return error.message;
}

describe('planInterfaces', () => {
  it('gives one interface by default, none when none is asked for, and each in its place', () => {
    const [macAddress] = macAddresses;
    const first = { kind: 'network', network: 'default', macAddress, model: null, address: null };
    expect(plan()).toEqual([first]);
    expect(plan([])).toEqual([]);
    expect(plan([user, { kind: 'bridge', bridge: 'br0', model: 'e1000' }])).toEqual([
      { kind: 'user', macAddress, model: null, forwards: [ssh] },
      { kind: 'bridge', bridge: 'br0', macAddress: macAddresses[1], model: 'e1000' },
    ]);
  });

  it('takes the MAC address that is asked for in lower case, and the others keep theirs', () => {
    const [one, two] = plan([{ ...user, macAddress: '52:54:00:AB:CD:EF' }, user]);
    expect([one?.macAddress, two?.macAddress]).toEqual(['52:54:00:ab:cd:ef', macAddresses[1]]);
  });

  it.each(['01:00:5e:00:00:01', 'ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00', '52-54-00-00-00-01', '52:54:00'])(
    'refuses the MAC address %s',
    async (macAddress) => {
      expect(await refusal([{ ...user, macAddress }])).toContain('is no MAC address for a card');
    },
  );

  it('refuses one MAC address for two cards, and more cards than there are places', async () => {
    const twice = { ...user, macAddress: '52:54:00:00:00:aa' };
    expect(await refusal([twice, twice])).toContain('cannot both have 52:54:00:00:00:aa');
    expect(plan(Array.from({ length: 8 }, () => user))).toHaveLength(8);
    expect(await refusal(Array.from({ length: 9 }, () => user))).toContain('at most 8 interfaces, not 9');
  });

  it('has the card that is asked for, else the image’s, else leaves it to the template', async () => {
    const models = (...args: Parameters<typeof plan>) => plan(...args).map(({ model }) => model);
    expect(models([user])).toEqual([null]);
    expect(models([user], [], { hw_vif_model: 'e1000' })).toEqual(['e1000']);
    expect(models([{ ...user, model: 'rtl8139' }], [], { hw_vif_model: 'e1000' })).toEqual(['rtl8139']);
    expect(await refusal([{ ...user, model: 'token-ring' }])).toBe('there is no network card "token-ring"');
  });

  it.each(['10.0.0', '10.0.0.256', '010.0.0.1', 'fe80::1', ''])('refuses the address %j', async (address) => {
    expect(await refusal([{ kind: 'network', network: 'n', address }])).toContain('is no IPv4 address');
  });

  it('publishes on the first interface of user networking, beside the port of ssh', () => {
    const web = { protocol: 'tcp', hostPort: 8080, guestPort: 80 } as const;
    const [, first, second] = plan([{ kind: 'bridge', bridge: 'b' }, user, user], [web]);
    expect(first).toMatchObject({ forwards: [ssh, { ...web, hostAddress: '127.0.0.1' }] });
    expect(second).toMatchObject({ forwards: [ssh] });
  });

  it('has no second port of ssh when one is published', () => {
    const own = { protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 2222, guestPort: 22 } as const;
    expect(plan([user], [own])).toMatchObject([{ forwards: [own] }]);
    expect(plan([user], [{ ...own, protocol: 'udp' }])).toMatchObject([
      { forwards: [ssh, { ...own, protocol: 'udp' }] },
    ]);
  });

  it('publishes nothing without user networking', async () => {
    const publish = [{ protocol: 'tcp', hostPort: 8080, guestPort: 80 }] as const;
    expect(await refusal(undefined, publish)).toBe('a port can be published only with user networking');
    expect(await refusal([], publish)).toBe('a port can be published only with user networking');
  });

  it('refuses ports that are none, and one that is published twice', async () => {
    const port = { protocol: 'tcp', hostPort: 8080, guestPort: 80 } as const;
    for (const wrong of [{ hostPort: 65_536 }, { guestPort: 0 }, { guestPort: 1.5 }, { hostPort: -1 }]) {
      expect(await refusal([user], [{ ...port, ...wrong }])).toContain('a whole number from 1 to 65535');
    }
    expect(await refusal([user], [port, { ...port, hostAddress: '0.0.0.0' }])).toContain('published twice');
    expect(plan([user], [port, { ...port, protocol: 'udp' }])).toHaveLength(1);
    expect(plan([user], [port, { ...port, hostAddress: '127.0.0.2' }])).toHaveLength(1);
    expect(
      plan(
        [user],
        [0, 0].map((hostPort) => ({ ...port, hostPort })),
      ),
    ).toHaveLength(1);
  });
});
