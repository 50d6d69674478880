import { readFileSync } from 'node:fs';

import type {
  BridgeInterface,
  DomainSeed,
  DomainSpec,
  NetworkInterface,
  UserInterface,
  VirtType,
} from '../../../src/domain/domain-spec.js';

export const templateNames = ['linux', 'windows', 'legacy'] as const;
export const goldenDirectory = new URL('../../golden/domain/', import.meta.url);
export const templatesDirectory = new URL('../../../templates/', import.meta.url);

export type TemplateName = (typeof templateNames)[number];

export interface GoldenCase {
  /** `<template>-<virtType>-<option>`, the golden's file name without its ending. */
  readonly name: string;
  readonly templateXml: string;
  readonly spec: DomainSpec;
}

export function readTemplateXml(name: TemplateName): string {
  return readFileSync(new URL(`${name}.xml`, templatesDirectory), 'utf8');
}

export function plainSpec(virtType: VirtType = 'kvm', number = 0x0c): DomainSpec {
  const hex = number.toString(16).padStart(8, '0');
  const directory = `/var/lib/launch/instances/instance-${hex}`;
  return {
    name: `instance-${hex}`,
    uuid: `08d616a9-87a1-4c0d-b986-7d6a${hex}`,
    virtType,
    cpuMode: virtType === 'kvm' ? 'host-passthrough' : 'maximum',
    memoryMib: 2048,
    vcpus: 2,
    rootDisk: { path: `${directory}/disk`, driverType: 'qcow2', cacheMode: 'none' },
    seed: undefined,
    interfaces: [networkInterface()],
    consoleLogPath: `${directory}/console.log`,
    metadata: {
      displayName: 'fedora-t1',
      flavorName: 'm1.small',
      imageId: '1e6292f9-82bd-4cdb-969e-c863cb1c6692',
      imageName: 'fedora-17',
      createdAt: '2026-03-01T12:00:00.000Z',
      launchVersion: '0.1.0',
    },
  };
}

export function networkInterface(changes: Partial<NetworkInterface> = {}): NetworkInterface {
  const macAddress = '52:54:00:1b:77:02';
  return { kind: 'network', network: 'default', macAddress, model: null, address: null, ...changes };
}

const bridgeInterface: BridgeInterface = {
  ...{ kind: 'bridge', bridge: 'br0', macAddress: '52:54:00:1b:77:02', model: 'rtl8139' },
};

const userInterface: UserInterface = {
  ...{ kind: 'user', macAddress: '52:54:00:1b:77:02', model: null },
  forwards: [
    { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 20012, guestPort: 22 },
    { protocol: 'udp', hostAddress: '0.0.0.0', hostPort: 5353, guestPort: 53 },
  ],
};

const machineTypes: Readonly<Record<TemplateName, string>> = {
  linux: 'pc-i440fx-7.2',
  windows: 'pc-q35-7.2',
  legacy: 'pc-i440fx-7.2',
};

const options: Readonly<Record<string, (spec: DomainSpec, template: TemplateName) => DomainSpec>> = {
  plain: (spec) => spec,
  'no-network': (spec) => ({ ...spec, interfaces: [] }),
  'no-cow': (spec) => ({ ...spec, rootDisk: { ...spec.rootDisk, driverType: 'raw' } }),
  writeback: (spec) => ({ ...spec, rootDisk: { ...spec.rootDisk, cacheMode: 'writeback' } }),
  'frozen-machine': (spec, template) => ({ ...spec, machineType: machineTypes[template] }),
  'hostile-names': (spec) => hostileSpec(spec),
};

/** For each template, once: the virt type makes no difference to them. */
const networkOptions: typeof options = {
  bridge: (spec) => ({ ...spec, interfaces: [bridgeInterface] }),
  user: (spec) => ({ ...spec, interfaces: [userInterface] }),
  several: (spec) => ({
    ...spec,
    interfaces: [
      networkInterface({ address: '192.168.122.50' }),
      { ...userInterface, macAddress: '52:54:00:1b:77:03' },
      { ...bridgeInterface, macAddress: '52:54:00:1b:77:04' },
    ],
  }),
};

/** For each template, once, as those of networks. */
const seedOptions: typeof options = {
  seed: (spec) => ({ ...spec, seed: seedOf(spec) }),
  'seed-late': (spec) => ({ ...spec, seed: { ...seedOf(spec), needsNetwork: true } }),
  'config-drive': (spec) => ({ ...spec, seed: { ...seedOf(spec), kind: 'config-drive' } }),
};

function seedOf({ rootDisk }: DomainSpec): DomainSeed {
  return { path: `${rootDisk.path}.seed`, kind: 'nocloud', needsNetwork: false };
}

function hostileSpec(spec: DomainSpec): DomainSpec {
  const hostile = `<a b="c" d='e'>&amp;]]></a> &x; &#10; \u202e名前 😀`;
  return {
    ...spec,
    name: `${spec.name}<&>"'é`,
    rootDisk: { ...spec.rootDisk, path: `/srv/<&>"'/é 😀/disk` },
    consoleLogPath: `/srv/<&>"'/é 😀/console.log`,
    seed: { path: `/srv/<&>"'/é 😀/disk.seed`, kind: 'nocloud', needsNetwork: false },
    interfaces: [networkInterface({ network: `net<&>"'é` })],
    metadata: { ...spec.metadata, displayName: hostile, flavorName: hostile, imageName: ` ${hostile} ` },
  };
}

/** Every template, virt type and option; each with a number of its own, so that all can be defined at once. */
export function listGoldenCases(): GoldenCase[] {
  const cases: GoldenCase[] = [];
  for (const template of templateNames) {
    for (const virtType of ['kvm', 'qemu'] as const) {
      for (const [option, change] of Object.entries(options)) {
        cases.push({
          name: `${template}-${virtType}-${option}`,
          templateXml: readTemplateXml(template),
          spec: change(plainSpec(virtType, cases.length + 1), template),
        });
      }
    }
  }
  for (const few of [networkOptions, seedOptions]) {
    for (const template of templateNames) {
      for (const [option, change] of Object.entries(few)) {
        cases.push({
          name: `${template}-qemu-${option}`,
          templateXml: readTemplateXml(template),
          spec: change(plainSpec('qemu', cases.length + 1), template),
        });
      }
    }
  }
  return cases;
}
