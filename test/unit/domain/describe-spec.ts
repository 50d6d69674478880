import type { DomainDescription } from '../../../src/domain/domain-description.js';
import type { DomainSpec } from '../../../src/domain/domain-spec.js';

/** What of a spec can be read back from the XML made of it. */
export function describeSpec(spec: DomainSpec): DeepPartial<DomainDescription> {
  const { name, uuid, virtType, memoryMib, vcpus, rootDisk, network, metadata } = spec;
  return {
    ...{ name, uuid, virtType, memoryMib, vcpus, metadata, title: metadata.displayName },
    ...(spec.machineType === undefined ? {} : { machineType: spec.machineType }),
    cpuMode: spec.cpuMode === 'default' ? undefined : spec.cpuMode,
    serialLogPath: spec.consoleLogPath,
    disks: [
      {
        sourcePath: rootDisk.path,
        driverType: rootDisk.driverType,
        cacheMode: rootDisk.cacheMode,
        hostPaths: [rootDisk.path],
        backingChain: [],
      },
    ],
    interfaces: network === undefined ? [] : [{ network: network.name, macAddress: network.macAddress }],
  };
}

type DeepPartial<T> = {
  readonly [K in keyof T]?: T[K] extends object ? DeepPartial<T[K]> : T[K] | undefined;
};
