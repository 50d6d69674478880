import { readXml } from '../../domain/read-xml.js';
import { attributeOf, findElement, listElements, textOf } from '../../domain/xml-element.js';
import { parseAddress, prefixOf, type AddressRange } from './ipv4.js';

/** What libvirt's document of a network says; IPv4 only, as that is what guests get here. */
export interface NetworkDocument {
  readonly name: string;
  /** `nat`, `route`, `open`, `bridge`, …; undefined when it is isolated. */
  readonly forward: string | undefined;
  readonly bridge: string | undefined;
  /** As `192.168.122.1/24`: the host's own address in it. */
  readonly subnet: string | undefined;
  readonly dhcp: NetworkDhcp | undefined;
}

export interface NetworkDhcp {
  readonly ranges: readonly AddressRange[];
  /** Addresses that are kept for one machine. */
  readonly reserved: readonly number[];
}

export function parseNetwork(xml: string): NetworkDocument {
  const root = readXml(xml);
  const ip = listElements(root, 'ip').find(
    (element) => (attributeOf(element, 'family') ?? 'ipv4') === 'ipv4',
  );
  const address = attributeOf(ip, 'address');
  const netmask = attributeOf(ip, 'netmask');
  const prefix = attributeOf(ip, 'prefix') ?? (netmask === undefined ? '24' : `${prefixOf(netmask) ?? ''}`);
  const dhcp = findElement(ip, 'dhcp');
  const forward = findElement(root, 'forward');
  return {
    name: textOf(findElement(root, 'name')) ?? '',
    forward: forward === undefined ? undefined : (attributeOf(forward, 'mode') ?? 'nat'),
    bridge: attributeOf(findElement(root, 'bridge'), 'name'),
    subnet: address === undefined || prefix === '' ? undefined : `${address}/${prefix}`,
    dhcp:
      dhcp === undefined
        ? undefined
        : {
            ranges: listElements(dhcp, 'range').flatMap((range) => {
              const first = parseAddress(attributeOf(range, 'start') ?? '');
              const last = parseAddress(attributeOf(range, 'end') ?? '');
              return first === undefined || last === undefined ? [] : [{ first, last }];
            }),
            reserved: listElements(dhcp, 'host').flatMap(
              (host) => parseAddress(attributeOf(host, 'ip') ?? '') ?? [],
            ),
          },
  };
}
