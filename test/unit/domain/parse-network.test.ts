import { describe, expect, it } from 'vitest';

import { parseNetwork } from '../../../src/domain/parse-network.js';
import { formatIpv4 } from '../../../src/host/network-address.js';

describe('parseNetwork', () => {
  it('reads a network of libvirt’s', () => {
    const network = parseNetwork(`<network connections='1'>
      <name>default</name><uuid>5e3f0c9a-7c5c-4c0e-8a55-2a6f5a1f6f0e</uuid>
      <forward mode='nat'><nat><port start='1024' end='65535'/></nat></forward>
      <bridge name='virbr0' stp='on' delay='0'/>
      <ip family='ipv6' address='fd00::1' prefix='64'><dhcp><range start='fd00::2' end='fd00::ff'/></dhcp></ip>
      <ip address='10.0.0.1' netmask='255.255.255.0'/>
      <ip address='192.168.122.1' netmask='255.255.254.0'><dhcp>
        <range start='192.168.122.2' end='192.168.122.254'/>
        <host mac='52:54:00:AA:00:01' name='web' ip='192.168.122.9'/><host name='db' ip='192.168.122.10'/>
      </dhcp></ip></network>`);
    expect(network).toMatchObject({
      ...{ name: 'default', forwardMode: 'nat', bridge: 'virbr0' },
      dhcp: {
        gateway: '192.168.122.1',
        subnet: { prefix: 23 },
        ranges: [{ start: '192.168.122.2', end: '192.168.122.254' }],
        hosts: [
          { macAddress: '52:54:00:aa:00:01', address: '192.168.122.9', name: 'web' },
          { macAddress: undefined, address: '192.168.122.10', name: 'db' },
        ],
      },
    });
    const { first = 0, last = 0 } = network.dhcp?.subnet ?? {};
    expect([formatIpv4(first), formatIpv4(last)]).toEqual(['192.168.122.0', '192.168.123.255']);
  });

  it('has no DHCP where libvirt gives out nothing', () => {
    const bridged = `<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/></network>`;
    expect(parseNetwork(bridged)).toEqual({
      ...{ name: 'lan', forwardMode: 'bridge', bridge: 'br0', dhcp: undefined },
    });
    expect(parseNetwork(`<network><forward/></network>`).forwardMode).toBe('nat');
  });

  it.each([
    ['prefix="20"', '192.168.16.1', 20],
    ['netmask="255.255.255.248"', '192.168.16.1', 29],
    ['', '10.1.2.3', 8],
    ['', '172.16.0.1', 16],
    ['', '192.168.16.1', 24],
  ])('knows the size of a subnet from %j at %s', (attribute, address, prefix) => {
    const xml = `<network><ip address="${address}" ${attribute}><dhcp/></ip></network>`;
    expect(parseNetwork(xml).dhcp?.subnet.prefix).toBe(prefix);
  });
});
