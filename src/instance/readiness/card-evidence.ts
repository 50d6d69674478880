import { readFile } from 'node:fs/promises';
import { parseDomain } from '../../domain/parse-domain.js';
import { readXml } from '../../domain/read-xml.js';
import { findElement, listElements } from '../../domain/xml-element.js';
import type { CardEvidence } from '../../guest/autopsy/evidence.js';
import { LaunchError } from '../../host/launch-error.js';
import type { InstanceRecord } from '../instance-record.js';
import type { Host } from '../open-host.js';

/** Looks at an instance's network cards from outside: counters, DHCP, its server's log. */
export async function readCards(
  host: Host,
  instance: InstanceRecord,
  sinceSeconds: number,
): Promise<readonly CardEvidence[]> {
  const devices = await readDevices(host, instance);
  return await Promise.all(
    instance.interfaces.map(async (one): Promise<CardEvidence> => {
      const { kind, macAddress } = one;
      const sentPackets = await readSentPackets(devices.get(macAddress));
      if (one.kind === 'user')
        return { kind, name: 'user', macAddress, sentPackets, dhcp: 'served', dhcpLog: [] };
      if (one.kind === 'bridge') {
        return { kind, name: one.bridge, macAddress, sentPackets, dhcp: 'elsewhere', dhcpLog: [] };
      }
      const dhcp = await readDhcp(host, one.network);
      const dhcpLog = await readDhcpLog(host, macAddress, sinceSeconds);
      return { kind, name: one.network, macAddress, sentPackets, dhcp, dhcpLog };
    }),
  );
}

/** Names of the taps on this host, by MAC address. */
async function readDevices(host: Host, instance: InstanceRecord): Promise<ReadonlyMap<string, string>> {
  try {
    const { interfaces } = parseDomain(await host.hypervisor.readDomainXml(instance.uuid));
    return new Map(
      interfaces.flatMap(({ macAddress, targetDevice }) =>
        macAddress === undefined || targetDevice === undefined
          ? []
          : [[macAddress.toLowerCase(), targetDevice]],
      ),
    );
  } catch (error) {
    if (error instanceof LaunchError) return new Map();
    throw error;
  }
}

/** What the guest sends is what its tap receives. */
async function readSentPackets(device: string | undefined): Promise<number | undefined> {
  if (device === undefined || !/^[A-Za-z0-9_.-]{1,15}$/.test(device)) return undefined;
  const text = await readFile(`/sys/class/net/${device}/statistics/rx_packets`, 'utf8').catch(() => '');
  return /^\d+\s*$/.test(text) ? Number(text) : undefined;
}

async function readDhcp(host: Host, network: string): Promise<CardEvidence['dhcp']> {
  try {
    const xml = readXml(await host.hypervisor.readNetworkXml(network));
    const mode = findElement(xml, 'forward')?.attributes.get('mode');
    // There libvirt has neither an address nor a server of its own.
    if (mode !== undefined && !['nat', 'route', 'open'].includes(mode)) return 'elsewhere';
    const served = listElements(xml, 'ip').some((ip) => findElement(ip, 'dhcp') !== undefined);
    if (!served) return 'none';
    return (await isServerRunning(host, network)) ? 'served' : 'stopped';
  } catch (error) {
    if (error instanceof LaunchError) return 'elsewhere';
    throw error;
  }
}

/** libvirt leaves the pid of a network's dnsmasq in its own place; elsewhere we cannot look. */
async function isServerRunning(host: Host, network: string): Promise<boolean> {
  if (host.hypervisor.uri !== 'qemu:///system') return true;
  const pid = (await readFile(`/run/libvirt/network/${network}.pid`, 'utf8').catch(() => '')).trim();
  if (!/^\d+$/.test(pid)) return false;
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
  return name.trim() === 'dnsmasq';
}

/** dnsmasq's own words on a card, from the journal where there is one. */
async function readDhcpLog(host: Host, macAddress: string, sinceSeconds: number): Promise<readonly string[]> {
  const args = ['--quiet', '--no-pager', '--output=cat', '--identifier=dnsmasq-dhcp', '--lines=2000'];
  try {
    const since = `--since=-${Math.ceil(sinceSeconds)}s`;
    const result = await host.runner.run('journalctl', [...args, since], { timeoutMs: 5000 });
    return result.exitCode === 0
      ? result.stdout
          .split('\n')
          .filter((line) => line.toLowerCase().includes(macAddress))
          .slice(-20)
      : [];
  } catch (error) {
    if (error instanceof LaunchError && error.code !== 'INTERRUPTED') return [];
    throw error;
  }
}
