import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

import { checkNetworkConfig } from '../../../../src/guest/seed/check-network-config.js';
import { renderNetworkConfig } from '../../../../src/guest/seed/network-config.js';
import { configDriveFiles, nocloudFiles, type SeedContent } from '../../../../src/guest/seed/seed-files.js';
import { writeYaml } from '../../../../src/guest/seed/write-yaml.js';

const content: SeedContent = {
  uuid: '5e3f0c9a-7c5c-4c0e-8a55-2a6f5a1f6f0e',
  displayName: 'Web "1"',
  hostname: '42',
  publicKeys: ['ssh-ed25519 AAAA a', 'from="::1" ssh-rsa AAAA b: c'],
  userData: undefined,
  networkConfig: undefined,
  cards: [{ macAddress: '52:54:00:00:00:01', network: 'network default' }],
  randomSeed: Buffer.alloc(512, 7),
};
const textOf = (files: readonly { path: string; text: string }[], path: string): string | undefined =>
  files.find((file) => file.path === path)?.text;

describe('a NoCloud seed', () => {
  it('has meta-data, in which numbers stay names, and user-data even when there is none', () => {
    const files = nocloudFiles(content);
    expect(files.map(({ path }) => path)).toEqual(['meta-data', 'user-data']);
    expect(parse(textOf(files, 'meta-data') ?? '', { version: '1.1' })).toEqual({
      'instance-id': content.uuid,
      'local-hostname': '42',
      'public-keys': content.publicKeys,
    });
    expect(textOf(files, 'user-data')).toBe('#cloud-config\n{}\n');
  });

  it('has the user’s documents as they are', () => {
    const files = nocloudFiles({
      ...content,
      userData: '#!/bin/sh\r\n',
      networkConfig: '# mine\nversion: 2\n',
    });
    expect(textOf(files, 'user-data')).toBe('#!/bin/sh\r\n');
    expect(textOf(files, 'network-config')).toBe('# mine\nversion: 2\n');
  });

  it('names no keys when there are none', () => {
    expect(textOf(nocloudFiles({ ...content, publicKeys: [] }), 'meta-data')).not.toContain('public-keys');
  });
});

describe('a config drive', () => {
  const files = configDriveFiles({ ...content, userData: '#!/bin/sh\n' });

  it('has Nova’s versions, each with the files that it brought', () => {
    const inside = (version: string) =>
      files
        .filter(({ path }) => path.startsWith(`openstack/${version}/`))
        .map(({ path }) => path.split('/')[2]);
    expect(inside('2012-08-10')).toEqual(['meta_data.json', 'user_data']);
    expect(inside('2013-10-17')).toEqual(['meta_data.json', 'user_data', 'vendor_data.json']);
    for (const version of ['2018-08-27', '2025-04-04', 'latest']) {
      expect(inside(version).sort()).toEqual([
        'meta_data.json',
        'network_data.json',
        'user_data',
        'vendor_data.json',
        'vendor_data2.json',
      ]);
    }
  });

  it('has meta_data as Nova writes it', () => {
    expect(JSON.parse(textOf(files, 'openstack/latest/meta_data.json') ?? '')).toEqual({
      uuid: content.uuid,
      public_keys: { 'key-1': content.publicKeys[0], 'key-2': content.publicKeys[1] },
      keys: content.publicKeys.map((data, index) => ({ name: `key-${index + 1}`, type: 'ssh', data })),
      hostname: '42',
      name: 'Web "1"',
      launch_index: 0,
      availability_zone: 'nova',
      random_seed: Buffer.alloc(512, 7).toString('base64'),
      devices: [],
      dedicated_cpus: [],
    });
    const oldest = JSON.parse(textOf(files, 'openstack/2012-08-10/meta_data.json') ?? '') as object;
    expect(Object.keys(oldest)).not.toContain('random_seed');
  });

  it('has a link and DHCP for each card, with ids that stay the same', () => {
    const read = () => JSON.parse(textOf(files, 'openstack/latest/network_data.json') ?? '') as unknown;
    const uuid = expect.stringMatching(
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    ) as unknown;
    expect(read()).toEqual({
      links: [
        {
          id: 'interface0',
          vif_id: uuid,
          type: 'bridge',
          mtu: null,
          ethernet_mac_address: '52:54:00:00:00:01',
        },
      ],
      networks: [{ id: 'network0', type: 'ipv4_dhcp', link: 'interface0', network_id: uuid }],
      services: [],
    });
    expect(configDriveFiles({ ...content, userData: '#!/bin/sh\n' })).toEqual(files);
  });

  it('has no user_data when there is none, as Nova', () => {
    expect(configDriveFiles(content).some(({ path }) => path.endsWith('user_data'))).toBe(false);
  });
});

describe('renderNetworkConfig', () => {
  const card = (last: number) => ({ macAddress: `52:54:00:00:00:0${last}`, network: 'network default' });

  it('leaves one card to cloud-init', () => {
    expect(renderNetworkConfig([])).toBeUndefined();
    expect(renderNetworkConfig([card(1)])).toBeUndefined();
  });

  it('asks for an address on each of several, and boots when only the first has one', () => {
    const text = renderNetworkConfig([card(1), card(2)]) ?? '';
    expect(parse(text)).toEqual({
      version: 2,
      ethernets: {
        eth0: { match: { macaddress: '52:54:00:00:00:01' }, 'set-name': 'eth0', dhcp4: true },
        eth1: { match: { macaddress: '52:54:00:00:00:02' }, 'set-name': 'eth1', dhcp4: true, optional: true },
      },
    });
    expect(checkNetworkConfig(text, 'ours')).toBe(text);
  });
});

describe('checkNetworkConfig', () => {
  it.each([
    'version: 1\nconfig:\n  - type: physical\n    name: eth0\n',
    'version: 1\nconfig: disabled\n',
    'version: 2\nethernets:\n  eth0:\n    dhcp4: true\n',
    'network:\n  version: 2\n  renderer: networkd\n  ethernets: {}\n',
    '{"version": 2, "ethernets": {}}',
  ])('takes %j as it is', (text) => {
    expect(checkNetworkConfig(text, '"n"')).toBe(text);
  });

  it.each([
    ['version: 3\n', '"version"'],
    ['ethernets: {}\n', '"version"'],
    ['version: 1\nconfig: {}\n', 'a list "config"'],
    ['version: 2\nethernets: [eth0]\n', 'map names to settings'],
    ['- a\n', 'no mapping'],
    ['', 'no mapping'],
    ['version: 2\nethernets: {eth0: [}\n', 'is wrong at line 2, column'],
  ])('refuses %j', (text, reason) => {
    expect(() => checkNetworkConfig(text, '"n"')).toThrow(
      expect.objectContaining({
        code: 'ARGUMENT_INVALID',
        message: expect.stringContaining(reason) as unknown,
      }),
    );
  });
});

describe('writeYaml', () => {
  const value = {
    plain: 'a',
    tricky: [
      'yes',
      '0644',
      '12:30:00',
      '1e3',
      'null',
      '~',
      '- a',
      'a: b',
      '#c',
      '"',
      '\\',
      '\n',
      '\u0085\u2028\u007f',
      '😀',
    ],
    nested: [{ a: [['b']], c: {} }, []],
    count: 3,
    sure: true,
  };

  it.each(['1.1', '1.2'] as const)('is read back alike by YAML %s', (version) => {
    expect(parse(writeYaml(value), { version })).toEqual(value);
  });
});
