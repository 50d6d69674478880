import { mkdir, writeFile } from 'node:fs/promises';

import { renderRecord } from '../../../src/host/record.js';
import type { InstanceRecord } from '../../../src/instance/instance-record.js';
import { openHost, type Host } from '../../../src/instance/open-host.js';
import { FakeHypervisor } from '../../support/fake-hypervisor.js';
import { ScriptedRunner } from '../../support/scripted-runner.js';
import { newHome } from '../host/new-home.js';

/** A host on a home of its own, with records of these instances, that runs no commands. */
export async function newHost(records: readonly InstanceRecord[] = []): Promise<Host> {
  const home = await newHome();
  const hypervisor = new FakeHypervisor();
  const host = openHost({ home: home.root, hypervisor, runner: new ScriptedRunner([]) });
  for (const record of records) await storeInstance(host, record.domainName, renderRecord(record));
  return host;
}

export async function storeInstance(host: Host, domainName: string, record: string): Promise<void> {
  const paths = host.home.instance(domainName);
  await mkdir(paths.directory, { recursive: true });
  await writeFile(paths.record, record);
}

/** The record of a launch that is done. */
export function sampleInstance(number: number, changes: Partial<InstanceRecord> = {}): InstanceRecord {
  const digits = number.toString(16).padStart(8, '0');
  return {
    number,
    domainName: `instance-${digits}`,
    displayName: `instance-${digits}`,
    uuid: `${digits}-82bd-4cdb-969e-c863cb1c6692`,
    createdAt: '2026-01-02T03:04:05.000Z',
    image: {
      id: '1e6292f9-82bd-4cdb-969e-c863cb1c6692',
      name: 'fedora-17',
      format: 'qcow2',
      sha256: 'a'.repeat(64),
    },
    flavor: { name: 'm1.small', memoryMib: 2048, vcpus: 1, diskGib: 20 },
    template: 'linux',
    virtType: 'kvm',
    cpuMode: 'host-passthrough',
    machineType: 'pc-i440fx-7.2',
    disk: {
      format: 'qcow2',
      virtualSizeBytes: 21474836480,
      base: '06a057b9c7b0b27e3b496f53d1e88810a0d1d5d3_20',
      preallocation: null,
    },
    interfaces: [
      { kind: 'network', network: 'default', macAddress: '52:54:00:00:00:01', model: null, address: null },
    ],
    seed: null,
    login: { user: null, identityFile: null },
    timings: [],
    maker: null,
    ...changes,
  };
}
