import type { DescribedInterface, DomainDescription } from '../../../src/domain/domain-description.js';
import type { DomainInterface, DomainSpec } from '../../../src/domain/domain-spec.js';

/** What of a spec can be read back from the XML made of it. */
export function describeSpec(spec: DomainSpec): DeepPartial<DomainDescription> {
  const { name, uuid, virtType, memoryMib, vcpus, rootDisk, interfaces, metadata } = spec;
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
      ...(spec.seed === undefined
        ? []
        : [{ sourcePath: spec.seed.path, driverType: 'raw', isReadOnly: true, hostPaths: [spec.seed.path] }]),
    ],
    interfaces: interfaces.map(describeInterface),
  };
}

function describeInterface(one: DomainInterface): Partial<DescribedInterface> {
  return {
    type: one.kind,
    macAddress: one.macAddress,
    ...(one.model === null ? {} : { model: one.model }),
    ...(one.kind === 'network' ? { network: one.network } : {}),
    ...(one.kind === 'bridge' ? { bridge: one.bridge } : {}),
  };
}

type DeepPartial<T> = {
  readonly [K in keyof T]?: T[K] extends object ? DeepPartial<T[K]> : T[K] | undefined;
};
