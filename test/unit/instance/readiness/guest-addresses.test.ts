import { describe, expect, it } from 'vitest';

import { sortAddresses, type GuestAddress } from '../../../../src/instance/readiness/guest-addresses.js';
import { sshEndpoints } from '../../../../src/instance/readiness/ssh-endpoint.js';

const first = { macAddress: '52:54:00:00:00:01' };
const second = { macAddress: '52:54:00:00:00:02' };

function found(address: string, more: Partial<GuestAddress> = {}): GuestAddress {
  const family = address.includes(':') ? 'ipv6' : 'ipv4';
  return {
    address,
    family,
    source: 'lease',
    macAddress: first.macAddress,
    network: 'default',
    recent: false,
    ...more,
  };
}

describe('sortAddresses', () => {
  it('puts IPv4 first, then the order of the interfaces, then leases', () => {
    const addresses = [
      found('2001:db8::1'),
      found('10.0.0.2', second),
      found('10.0.0.9', { source: 'agent' }),
      found('10.0.0.1'),
    ];
    expect(sortAddresses(addresses, [first, second]).map(({ address }) => address)).toEqual([
      ...['10.0.0.1', '10.0.0.9', '10.0.0.2', '2001:db8::1'],
    ]);
  });

  it('gives each address once, as recent as anybody says', () => {
    const addresses = [found('10.0.0.1', { source: 'neighbour', recent: true }), found('10.0.0.1')];
    expect(sortAddresses(addresses, [first])).toEqual([found('10.0.0.1', { recent: true })]);
  });

  it.each(['127.0.0.1', '169.254.3.4', 'fe80::1', 'FE80::1%eth0', '::1', '0.0.0.0', 'x', '$(reboot)', ''])(
    'leaves out %j',
    (address) => {
      expect(sortAddresses([found(address)], [first])).toEqual([]);
    },
  );
});

describe('sshEndpoints', () => {
  it('are the addresses, then the forwarded ports that lead to ssh', () => {
    const forward = { protocol: 'tcp' as const, hostAddress: '0.0.0.0', hostPort: 2222, guestPort: 22 };
    const user = {
      kind: 'user' as const,
      ...first,
      model: null,
      forwards: [
        { ...forward, guestPort: 80, hostPort: 8080 },
        forward,
        { ...forward, protocol: 'udp' as const },
      ],
    };
    expect(sshEndpoints({ interfaces: [user] }, [found('10.0.0.1')])).toEqual([
      { address: '10.0.0.1', port: 22 },
      { address: '127.0.0.1', port: 2222 },
    ]);
  });
});
