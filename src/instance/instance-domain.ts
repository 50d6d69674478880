import type { CpuMode, DomainSpec } from '../domain/domain-spec.js';
import { launchVersion } from '../host/version.js';
import type { InstanceRecord } from './instance-record.js';
import type { Host } from './open-host.js';
import type { LaunchPlan } from './plan-launch.js';
import { cpuModesToTry } from './virt-type.js';

/** What of a record only making can tell. */
export interface MadeInstance {
  readonly number: number;
  readonly format: 'qcow2' | 'raw';
  /** Name of the base that the disk lies on; null for a raw copy. */
  readonly base: string | null;
  readonly createdAt: Date;
  readonly maker: string | null;
}

export function newRecord(plan: LaunchPlan, made: MadeInstance): InstanceRecord {
  return {
    number: made.number,
    domainName: plan.domainName,
    displayName: plan.displayName,
    uuid: plan.uuid,
    createdAt: made.createdAt.toISOString(),
    image: { id: plan.image.id, name: plan.image.name, format: plan.image.format, sha256: plan.image.sha256 },
    flavor: plan.flavor,
    template: plan.template,
    virtType: plan.virtType,
    cpuMode: cpuModesToTry(plan.virtType)[0],
    machineType: null,
    disk: {
      format: made.format,
      virtualSizeBytes: plan.disk.virtualSizeBytes,
      base: made.base,
      preallocation: plan.disk.preallocation ?? null,
    },
    interfaces: plan.interfaces,
    seed: plan.seed ?? null,
    login: plan.login,
    timings: [],
    maker: made.maker,
  };
}

/** What the template becomes for this instance. */
export function domainSpec(
  host: Host,
  record: InstanceRecord,
  cpuMode: CpuMode,
  cacheMode: 'none' | 'writeback',
): DomainSpec {
  const paths = host.home.instance(record.domainName);
  const { seed } = record;
  return {
    name: record.domainName,
    uuid: record.uuid,
    virtType: record.virtType,
    cpuMode,
    memoryMib: record.flavor.memoryMib,
    vcpus: record.flavor.vcpus,
    machineType: record.machineType ?? undefined,
    rootDisk: { path: paths.disk, driverType: record.disk.format, cacheMode },
    seed: seed === null ? undefined : { path: paths.seed, kind: seed.kind, needsNetwork: seed.needsNetwork },
    interfaces: record.interfaces,
    consoleLogPath: paths.consoleLog,
    metadata: {
      displayName: record.displayName,
      flavorName: record.flavor.name,
      imageId: record.image.id,
      imageName: record.image.name,
      createdAt: record.createdAt,
      launchVersion,
    },
  };
}
