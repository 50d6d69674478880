import { parseIpv4, subnetOf, type Ipv4Subnet } from '../host/network-address.js';
import { readXml } from './read-xml.js';
import { attributeOf, findElement, listElements, textOf, type XmlElement } from './xml-element.js';

/** What the XML of a libvirt network says; undefined where it says nothing. */
export interface NetworkDescription {
  readonly name: string;
  /** `nat`, `route`, `bridge`, …; undefined for an isolated one. */
  readonly forwardMode: string | undefined;
  readonly bridge: string | undefined;
  /** undefined when libvirt gives out no IPv4 addresses there. */
  readonly dhcp: NetworkDhcp | undefined;
}

/** libvirt allows one IPv4 DHCP server a network. */
export interface NetworkDhcp {
  /** The host's own address. */
  readonly gateway: string;
  readonly subnet: Ipv4Subnet;
  readonly ranges: readonly { readonly start: string; readonly end: string }[];
  readonly hosts: readonly DhcpHostEntry[];
}

/** An address kept for one card, or for one host name. */
export interface DhcpHostEntry {
  /** Lower case; undefined for an entry that goes by the name alone. */
  readonly macAddress: string | undefined;
  readonly address: string | undefined;
  readonly name: string | undefined;
}

/** @throws XmlSyntaxError when it is no XML, which libvirt's never is */
export function parseNetwork(xml: string): NetworkDescription {
  const network = readXml(xml);
  const forward = findElement(network, 'forward');
  return {
    name: textOf(findElement(network, 'name')) ?? '',
    // An element without a mode is libvirt's nat.
    forwardMode: forward === undefined ? undefined : (attributeOf(forward, 'mode') ?? 'nat'),
    bridge: attributeOf(findElement(network, 'bridge'), 'name'),
    dhcp: listElements(network, 'ip')
      .map(parseDhcp)
      .find((dhcp) => dhcp !== undefined),
  };
}

function parseDhcp(ip: XmlElement): NetworkDhcp | undefined {
  const dhcp = findElement(ip, 'dhcp');
  const gateway = attributeOf(ip, 'address') ?? '';
  const address = parseIpv4(gateway);
  if (dhcp === undefined || address === undefined) return undefined;
  return {
    gateway,
    subnet: subnetOf(address, prefixOf(ip, address)),
    ranges: listElements(dhcp, 'range').map((range) => ({
      start: attributeOf(range, 'start') ?? '',
      end: attributeOf(range, 'end') ?? '',
    })),
    hosts: listElements(dhcp, 'host').map((host) => ({
      macAddress: attributeOf(host, 'mac')?.toLowerCase(),
      address: attributeOf(host, 'ip'),
      name: attributeOf(host, 'name'),
    })),
  };
}

function prefixOf(ip: XmlElement, address: number): number {
  const prefix = attributeOf(ip, 'prefix');
  if (prefix !== undefined) return Number(prefix);
  const netmask = parseIpv4(attributeOf(ip, 'netmask') ?? '');
  if (netmask !== undefined) return netmask.toString(2).replaceAll('0', '').length;
  // Where neither is written, libvirt goes by the classes of old.
  if (address < 2 ** 31) return 8;
  return address < 3 * 2 ** 30 ? 16 : 24;
}
