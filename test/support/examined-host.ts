import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import type { ExaminedPlaces } from '../../src/instance/doctor/examination.js';
import { examineHost, type CheckReport } from '../../src/instance/doctor/examine-host.js';
import type { CheckId } from '../../src/instance/doctor/finding.js';
import { launchInstance } from '../../src/instance/launch-instance.js';
import type { Host } from '../../src/instance/open-host.js';
import { importTiny, openIntegrationHost, type IntegrationHost } from './integration-host.js';

export interface Look extends CheckReport {
  /** The level of each problem. */
  readonly levels: readonly string[];
  readonly done: readonly string[];
}

/** Makes one check, and tells what it found; with `fix`, what is found afterwards. */
export async function lookAt(
  host: Host,
  id: CheckId,
  options: { readonly places?: Partial<ExaminedPlaces>; readonly fix?: boolean } = {},
): Promise<Look> {
  const { checks, fixes } = await examineHost(host, { checks: [id], ...options });
  const check = checks.find((candidate) => candidate.id === id);
  if (check === undefined) throw new Error(`no report of ${id}`);
  const failures = fixes.flatMap(({ failure }) => failure ?? []);
  if (failures.length > 0) throw new Error(failures.join('\n'));
  return {
    ...check,
    levels: check.problems.map(({ level }) => level),
    done: fixes.flatMap(({ done }) => done ?? []),
  };
}

interface HostWithGuest extends IntegrationHost {
  readonly domainName: string;
  readonly uuid: string;
  readonly base: string;
  readonly disk: string;
}

/** A host with a guest that runs, whose files another user can reach. */
export async function openHostWithGuest(): Promise<HostWithGuest> {
  const host = await openIntegrationHost();
  await chmod(host.directory, 0o755);
  await importTiny(host);
  const { instance } = await launchInstance(host, { image: 'tiny', flavor: 'm1.tiny', virtType: 'qemu' });
  const { domainName, uuid } = instance;
  const base = host.home.base(instance.disk.base ?? '').file;
  return { ...host, domainName, uuid, base, disk: host.home.instance(domainName).disk };
}

/** libvirt's capabilities with QEMU as this user, under these drivers. */
export function runQemuAs(host: IntegrationHost, uid: number, models: readonly string[] = []): void {
  const { hypervisor } = host;
  const drivers = models.map((model) => `<secmodel><model>${model}</model></secmodel>`).join('');
  hypervisor.capabilitiesXml = hypervisor.capabilitiesXml
    .replaceAll(/\+\d+:\+\d+/g, `+${uid}:+${uid}`)
    .replace('</host>', `${drivers}</host>`);
}

/** A file in a tree that stands in for /proc, /sys or /run. */
export async function writeIn(root: string, path: string, content: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

export async function idOf(user: string): Promise<number> {
  return Number((await execa('id', ['-u', user])).stdout);
}

/** As libvirt does at a start. */
export async function giveDiskTo(host: HostWithGuest, uid: number): Promise<void> {
  await chown(host.disk, uid, uid);
  await chown(host.base, uid, uid);
}

/** The guest goes off, and its domain stays. */
export async function switchOff(host: HostWithGuest): Promise<void> {
  await host.hypervisor.destroyDomain(host.uuid);
}
