import { describe, expect, it } from 'vitest';

import { formatIpv4, isUnicastMac, parseIpv4, subnetOf } from '../../../src/host/network-address.js';

describe('IPv4 addresses', () => {
  it.each(['0.0.0.0', '10.0.0.1', '127.0.0.1', '192.168.122.254', '255.255.255.255'])('%s', (text) => {
    expect(formatIpv4(parseIpv4(text) ?? -1)).toBe(text);
  });

  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '1.2.3.-4',
    '::1',
    'a.b.c.d',
  ])('not %j', (text) => {
    expect(parseIpv4(text)).toBeUndefined();
  });

  it.each([
    ['192.168.122.77', 24, '192.168.122.0', '192.168.122.255'],
    ['10.9.8.7', 8, '10.0.0.0', '10.255.255.255'],
    ['203.0.113.9', 29, '203.0.113.8', '203.0.113.15'],
    ['203.0.113.9', 0, '0.0.0.0', '255.255.255.255'],
  ])('%s/%i', (text, prefix, first, last) => {
    const subnet = subnetOf(parseIpv4(text) ?? -1, prefix);
    expect([formatIpv4(subnet.first), formatIpv4(subnet.last)]).toEqual([first, last]);
  });
});

describe('MAC addresses', () => {
  it('of a card are unicast, lower case, with colons', () => {
    expect(isUnicastMac('52:54:00:1b:77:02')).toBe(true);
    for (const wrong of ['53:54:00:1b:77:02', '52:54:00:1B:77:02', '525400:1b:77:02', '00:00:00:00:00:00']) {
      expect(isUnicastMac(wrong), wrong).toBe(false);
    }
  });
});
