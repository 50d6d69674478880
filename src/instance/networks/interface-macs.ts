import { createHash, randomBytes } from 'node:crypto';
import { parseDomain } from '../../domain/parse-domain.js';
import { listInstanceRecords } from '../instance-record.js';
import type { Host } from '../open-host.js';

/** In QEMU's range, as libvirt makes them. */
export function newMacAddress(): string {
  return inQemuRange(randomBytes(3));
}

/**
 * The same for the same address of a network, always. dnsmasq gives no address that it has leased to another
 * card, however long that one is gone: an instance that takes the place of another has to have its card. Each
 * home has its own, so that none takes back what another reserved.
 */
export function macAddressFor(home: string, network: string, address: string): string {
  const digest = createHash('sha256').update([home, network, address].join('\n')).digest();
  return inQemuRange(digest.subarray(0, 3));
}

function inQemuRange(bytes: Uint8Array): string {
  return ['52', '54', '00', ...[...bytes].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

/** Every MAC address of libvirt's domains and of our own records, with the name of who has it. */
export async function readMacAddresses(host: Host): Promise<ReadonlyMap<string, string>> {
  const owners = new Map<string, string>();
  for (const { domainName, interfaces } of (await listInstanceRecords(host.home)).records) {
    for (const { macAddress } of interfaces) owners.set(macAddress, domainName);
  }
  const domains = await host.hypervisor.listDomains();
  const xmls = await Promise.all(
    // A domain may vanish between the list and the question.
    domains.map(({ uuid }) => host.hypervisor.readDomainXml(uuid).catch(() => undefined)),
  );
  for (const [index, xml] of xmls.entries()) {
    for (const { macAddress } of xml === undefined ? [] : parseDomain(xml).interfaces) {
      if (macAddress !== undefined) owners.set(macAddress.toLowerCase(), domains[index]?.name ?? '');
    }
  }
  return owners;
}
