import { describe, expect, it } from 'vitest';
import { measureUse } from '../../../../src/instance/doctor/dhcp-check.js';
import { overlap, parseAddress, parseSubnet, prefixOf } from '../../../../src/instance/doctor/ipv4.js';
import { parseTakenSubnets } from '../../../../src/instance/doctor/network-check.js';
import { parseNetwork } from '../../../../src/instance/doctor/network-document.js';

describe('addresses', () => {
  it.each([
    ['192.168.122.1/24', '192.168.122.200/32', true],
    ['192.168.122.1/24', '192.168.123.0/24', false],
    ['192.168.122.1/24', '192.168.0.0/16', true],
    ['10.0.0.0/8', '0.0.0.0/0', true],
    ['255.255.255.255', '255.255.255.254/31', true],
  ])('%s and %s overlap: %s', (one, other, expected) => {
    const [first, second] = [parseSubnet(one), parseSubnet(other)];
    if (first === undefined || second === undefined) throw new Error('not parsed');
    expect([overlap(first, second), overlap(second, first)]).toEqual([expected, expected]);
  });

  it.each(['', '1.2.3', '1.2.3.256', 'a.b.c.d', '1.2.3.4.5', 'fd00::1'])('%s is no address', (text) => {
    expect(parseAddress(text)).toBeUndefined();
    expect(parseSubnet(`${text}/24`)).toBeUndefined();
  });

  it('reads netmasks', () => {
    expect(
      ['255.255.255.0', '255.255.240.0', '255.255.255.255', '0.0.0.0', '255.0.255.0'].map(prefixOf),
    ).toEqual([24, 20, 32, 0, undefined]);
  });
});

describe('parseNetwork', () => {
  it('reads a network of libvirt', () => {
    const xml = `<network><name>default</name><forward mode='nat'><nat/></forward><bridge name='virbr0'/>
      <ip family='ipv6' address='fd00::1' prefix='64'/>
      <ip address='192.168.122.1' netmask='255.255.255.0'><dhcp>
        <range start='192.168.122.2' end='192.168.122.11'/>
        <host mac='52:54:00:00:00:01' ip='192.168.122.5'/><host mac='52:54:00:00:00:02' ip='192.168.122.100'/>
      </dhcp></ip></network>`;
    const network = parseNetwork(xml);
    expect(network).toMatchObject({
      name: 'default',
      forward: 'nat',
      bridge: 'virbr0',
      subnet: '192.168.122.1/24',
    });
    if (network.dhcp === undefined) throw new Error('no DHCP');
    // Of ten addresses one is leased and one kept; what lies outside of the range takes none of it.
    expect(measureUse(network.dhcp, ['192.168.122.7', '192.168.122.5', '10.0.0.1'])).toEqual({
      total: 10,
      free: 8,
    });
  });

  it('knows isolated ones, bridges, and the default of forwarding', () => {
    expect(parseNetwork('<network><name>a</name></network>')).toMatchObject({
      forward: undefined,
      dhcp: undefined,
    });
    expect(parseNetwork("<network><forward mode='bridge'/><bridge name='br0'/></network>")).toMatchObject({
      forward: 'bridge',
      bridge: 'br0',
      subnet: undefined,
    });
    expect(parseNetwork('<network><forward/></network>').forward).toBe('nat');
  });
});

describe('parseTakenSubnets', () => {
  it('tells addresses, and routes that no address explains', () => {
    const addresses = JSON.stringify([
      { ifname: 'lo', addr_info: [{ family: 'inet', local: '127.0.0.1', prefixlen: 8 }] },
      { ifname: 'eth0', addr_info: [{ family: 'inet', local: '192.0.2.2', prefixlen: 24 }] },
      { ifname: 'eth1', addr_info: [{}] },
    ]);
    const routes = JSON.stringify([
      { dst: 'default', gateway: '192.0.2.1', dev: 'eth0' },
      { dst: '192.0.2.0/24', dev: 'eth0' },
      { dst: '192.168.122.0/24', gateway: '192.0.2.9', dev: 'eth0' },
    ]);
    expect(parseTakenSubnets(addresses, routes)).toEqual([
      { subnet: '127.0.0.1/8', device: 'lo', kind: 'address' },
      { subnet: '192.0.2.2/24', device: 'eth0', kind: 'address' },
      { subnet: '192.168.122.0/24', device: 'eth0', kind: 'route' },
    ]);
  });

  it.each(['', 'Object "-json" is unknown', '{}'])('takes %j for nothing', (text) => {
    expect(parseTakenSubnets(text, text)).toEqual([]);
  });
});
