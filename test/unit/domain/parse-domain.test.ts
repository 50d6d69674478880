import { describe, expect, it } from 'vitest';

import { parseDomain } from '../../../src/domain/parse-domain.js';

const live = `<domain type='kvm' id='12' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>someone-else</name>
  <uuid>08d616a9-87a1-4c0d-b986-7d6aa5ed6780</uuid>
  <metadata><other:instance xmlns:other="urn:other"><other:name>x</other:name></other:instance></metadata>
  <memory unit='GiB'>2</memory>
  <currentMemory unit='KiB'>1048576</currentMemory>
  <vcpu placement='static' current='2'>4</vcpu>
  <os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
  <cpu mode='custom' match='exact'><model>Skylake-Server</model></cpu>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none'/>
      <source file='/var/lib/nova/instances/instance-0000000c/disk' index='1'/>
      <backingStore type='file' index='3'>
        <format type='qcow2'/>
        <source file='/srv/middle'/>
        <backingStore type='block' index='4'>
          <format type='raw'/>
          <source dev='/dev/vg/base'/>
          <backingStore/>
        </backingStore>
      </backingStore>
      <mirror type='file' job='copy'><format type='raw'/><source file='/srv/copy'/></mirror>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='network' device='disk'>
      <driver name='qemu' type='raw'/>
      <source protocol='rbd' name='pool/image'><host name='mon' port='6789'/></source>
      <target dev='vdb' bus='virtio'/>
    </disk>
    <disk type='volume' device='disk'>
      <source pool='default' volume='v.qcow2'/><target dev='vdc' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>
    <disk/>
    <interface type='network'>
      <mac address='52:54:00:1b:77:02'/>
      <source network='default' portid='1' bridge='virbr0'/>
      <target dev='vnet3'/><model type='virtio'/>
    </interface>
    <interface type='bridge'><source bridge='br0'/></interface>
    <serial type='pty'><source path='/dev/pts/3'/><target port='0'/></serial>
    <console type='pty'><log file='/srv/console.log' append='off'/></console>
    <graphics type='vnc' port='5900' autoport='yes'><listen type='address' address='127.0.0.1'/></graphics>
    <graphics type='spice' port='-1' listen='::1'/>
  </devices>
</domain>`;

describe('parseDomain', () => {
  it('reads a running domain that someone else made', () => {
    const description = parseDomain(live);
    expect(description).toMatchObject({
      name: 'someone-else',
      uuid: '08d616a9-87a1-4c0d-b986-7d6aa5ed6780',
      virtType: 'kvm',
      machineType: 'pc-i440fx-7.2',
      emulatorPath: '/usr/bin/qemu-system-x86_64',
      cpuMode: 'custom',
      memoryMib: 2048,
      vcpus: 4,
      serialLogPath: '/srv/console.log',
      metadata: undefined,
      graphics: [
        { type: 'vnc', port: 5900, listenAddress: '127.0.0.1' },
        { type: 'spice', port: undefined, listenAddress: '::1' },
      ],
      interfaces: [
        { type: 'network', network: 'default', bridge: 'virbr0', model: 'virtio', targetDevice: 'vnet3' },
        { type: 'bridge', network: undefined, bridge: 'br0', macAddress: undefined },
      ],
    });
  });

  it('reads the backing chain, and every path that a disk names', () => {
    const [disk] = parseDomain(live).disks;
    expect(disk).toMatchObject({
      target: 'vda',
      bus: 'virtio',
      device: 'disk',
      type: 'file',
      sourcePath: '/var/lib/nova/instances/instance-0000000c/disk',
      driverType: 'qcow2',
      cacheMode: 'none',
      isReadOnly: false,
      backingChain: [
        { path: '/srv/middle', format: 'qcow2' },
        { path: '/dev/vg/base', format: 'raw' },
      ],
    });
    expect(disk?.hostPaths).toEqual([
      '/var/lib/nova/instances/instance-0000000c/disk',
      '/srv/middle',
      '/dev/vg/base',
      '/srv/copy',
    ]);
  });

  it('has no path for a network disk, a volume, an empty drive and an empty element', () => {
    const [, network, volume, cdrom, empty] = parseDomain(live).disks;
    expect(network).toMatchObject({ type: 'network', sourcePath: undefined, hostPaths: [] });
    expect(volume).toMatchObject({ type: 'volume', volume: { pool: 'default', name: 'v.qcow2' } });
    expect(cdrom).toMatchObject({ device: 'cdrom', sourcePath: undefined, isReadOnly: true });
    expect(empty).toMatchObject({ device: 'disk', type: 'file', target: undefined, sourcePath: undefined });
  });

  it.each([
    ['2147483648', 'b', 2048],
    ['2097152', undefined, 2048],
    ['2097152', 'k', 2048],
    ['2048', 'MiB', 2048],
    ['2', 'G', 2048],
    ['1024', 'MB', 977],
    ['many', 'MiB', undefined],
    ['1', 'parsec', undefined],
  ])('reads a memory of %s %s', (amount, unit, memoryMib) => {
    const attribute = unit === undefined ? '' : ` unit='${unit}'`;
    expect(parseDomain(`<domain><memory${attribute}>${amount}</memory></domain>`)).toMatchObject({
      memoryMib,
    });
  });

  it('reads a document with nothing in it', () => {
    expect(parseDomain('<domain/>')).toEqual({
      ...{ name: '', uuid: undefined, title: undefined, virtType: undefined, machineType: undefined },
      ...{ emulatorPath: undefined, cpuMode: undefined, memoryMib: undefined, vcpus: 1, disks: [] },
      ...{ interfaces: [], serialLogPath: undefined, graphics: [], metadata: undefined },
    });
  });

  it('knows our metadata by its namespace, whatever the prefix', () => {
    const body = (p: string): string => `<${p}name>n</${p}name><${p}image id='i'>f</${p}image>`;
    const ours = { displayName: 'n', imageId: 'i', imageName: 'f', flavorName: '' };
    const wrap = (xml: string): string => `<domain><metadata>${xml}</metadata></domain>`;
    const uri = 'urn:launch:instance:1.0';
    const prefixed = `<x:instance xmlns:x='${uri}'>${body('x:')}</x:instance>`;
    const plain = `<instance xmlns='${uri}'>${body('')}</instance>`;
    const foreign = `<launch:instance xmlns:launch='urn:other'>${body('launch:')}</launch:instance>`;
    expect(parseDomain(wrap(prefixed)).metadata).toMatchObject(ours);
    expect(parseDomain(wrap(foreign + plain)).metadata).toMatchObject(ours);
    expect(parseDomain(wrap(foreign)).metadata).toBeUndefined();
  });
});
