import { createHash } from 'node:crypto';
import { renderNetworkConfig, type SeedCard } from './network-config.js';
import { writeYaml } from './write-yaml.js';

/** What a seed says, before it is a disk. */
export interface SeedContent {
  readonly uuid: string;
  /** The name that the user gave. */
  readonly displayName: string;
  readonly hostname: string;
  readonly publicKeys: readonly string[];
  /** Undefined when there is none. */
  readonly userData: string | undefined;
  /** As the user gave it; undefined: by what the cards need. */
  readonly networkConfig: string | undefined;
  readonly cards: readonly SeedCard[];
  /** Nova gives the guest's random number generator 512 bytes to begin with. */
  readonly randomSeed: Buffer;
}

export interface SeedFile {
  readonly path: string;
  readonly text: string;
}

/** By which the guest finds the disk. */
export const seedLabels = { nocloud: 'cidata', 'config-drive': 'config-2' } as const;

/** NoCloud: https://docs.cloud-init.io, "NoCloud". All but network-config has to be there. */
export function nocloudFiles(content: SeedContent): readonly SeedFile[] {
  const metaData = writeYaml({
    'instance-id': content.uuid,
    'local-hostname': content.hostname,
    ...(content.publicKeys.length === 0 ? {} : { 'public-keys': [...content.publicKeys] }),
  });
  const networkConfig = content.networkConfig ?? renderNetworkConfig(content.cards);
  return [
    { path: 'meta-data', text: metaData },
    { path: 'user-data', text: content.userData ?? '#cloud-config\n{}\n' },
    ...(networkConfig === undefined ? [] : [{ path: 'network-config', text: networkConfig }]),
  ];
}

/** Nova's versions of its metadata (nova/api/metadata/base.py); a guest takes the newest that it knows. */
const openstackVersions = [
  ...['2012-08-10', '2013-04-04', '2013-10-17', '2015-10-15', '2016-06-30', '2016-10-06', '2017-02-22'],
  ...['2018-08-27', '2020-10-14', '2025-04-04'],
] as const;

/** OpenStack's config drive, as Nova writes it, each version with the files and fields that it brought. */
export function configDriveFiles(content: SeedContent): readonly SeedFile[] {
  const newest = openstackVersions.at(-1) ?? '';
  return [...openstackVersions, 'latest'].flatMap((directory) => {
    const version = directory === 'latest' ? newest : directory;
    const since = (first: (typeof openstackVersions)[number]) => version >= first;
    const files: readonly (readonly [string, string | undefined])[] = [
      ['meta_data.json', JSON.stringify(openstackMetadata(content, since))],
      ['user_data', content.userData],
      ['vendor_data.json', since('2013-10-17') ? '{}' : undefined],
      [
        'network_data.json',
        since('2015-10-15') ? JSON.stringify(openstackNetworks(content.cards)) : undefined,
      ],
      ['vendor_data2.json', since('2016-10-06') ? '{}' : undefined],
    ];
    return files.flatMap(([name, text]) =>
      text === undefined ? [] : [{ path: `openstack/${directory}/${name}`, text }],
    );
  });
}

function openstackMetadata(
  content: SeedContent,
  since: (first: (typeof openstackVersions)[number]) => boolean,
): object {
  const keys = content.publicKeys.map((data, index) => ({ name: `key-${index + 1}`, type: 'ssh', data }));
  return {
    uuid: content.uuid,
    ...(keys.length === 0
      ? {}
      : { public_keys: Object.fromEntries(keys.map(({ name, data }) => [name, data])), keys }),
    hostname: content.hostname,
    name: content.displayName,
    launch_index: 0,
    availability_zone: 'nova',
    ...(since('2013-04-04') ? { random_seed: content.randomSeed.toString('base64') } : {}),
    ...(since('2016-06-30') ? { devices: [] } : {}),
    ...(since('2020-10-14') ? { dedicated_cpus: [] } : {}),
  };
}

function openstackNetworks(cards: readonly SeedCard[]): object {
  return {
    links: cards.map(({ macAddress }, index) => ({
      id: `interface${index}`,
      vif_id: uuidOf(macAddress),
      type: 'bridge',
      mtu: null,
      ethernet_mac_address: macAddress,
    })),
    networks: cards.map(({ network }, index) => ({
      id: `network${index}`,
      type: 'ipv4_dhcp',
      link: `interface${index}`,
      network_id: uuidOf(network),
    })),
    services: [],
  };
}

/** The same for the same name, as Neutron's ids of ports and networks are (RFC 9562, version 8). */
function uuidOf(name: string): string {
  const bytes = createHash('sha256').update(name).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
