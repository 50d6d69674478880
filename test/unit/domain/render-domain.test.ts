import { describe, expect, it } from 'vitest';

import type { DomainSpec } from '../../../src/domain/domain-spec.js';
import { parseDomain } from '../../../src/domain/parse-domain.js';
import { readXml } from '../../../src/domain/read-xml.js';
import { renderDomain } from '../../../src/domain/render-domain.js';
import { findElement, listElements, textOf } from '../../../src/domain/xml-element.js';
import { networkInterface, plainSpec, readTemplateXml } from './domain-cases.js';

const bare = '<domain><os><type>hvm</type></os></domain>';

function withDevices(devices: string): string {
  return `<domain><os><type>hvm</type></os><devices>${devices}</devices></domain>`;
}

function render(template: string, change: Partial<DomainSpec> = {}): string {
  return renderDomain(template, { ...plainSpec(), ...change });
}

describe('renderDomain', () => {
  it('makes what a bare template misses, in the order of libvirt', () => {
    const xml = render(bare);
    expect(listElements(readXml(xml)).map(({ name }) => name)).toEqual([
      ...['name', 'uuid', 'title', 'metadata', 'memory', 'vcpu', 'sysinfo', 'os', 'cpu', 'devices'],
    ]);
    expect(parseDomain(xml)).toMatchObject({
      disks: [{ target: 'vda', bus: 'virtio', driverType: 'qcow2' }],
      interfaces: [{ type: 'network', network: 'default', model: 'virtio' }],
      serialLogPath: plainSpec().consoleLogPath,
    });
  });

  it('gives the same text for the same input, and takes its own output as a template', () => {
    const first = render(readTemplateXml('linux'));
    expect(render(readTemplateXml('linux'))).toBe(first);
    expect(render(first)).toBe(first);
  });

  it('drops comments and the description of the template', () => {
    const xml = render(readTemplateXml('windows'));
    expect(xml).not.toContain('<!--');
    expect(xml).not.toContain('<description');
  });

  it('leaves what it does not set', () => {
    const xml = render(
      `<domain xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0" id="7">
        <metadata><a:b xmlns:a="urn:a">1 &amp;lt; 2</a:b><o:instance xmlns:o="urn:launch:instance:1.0"/></metadata>
        <memoryBacking><hugepages/></memoryBacking><vcpu placement="static" cpuset="0-1" current="1">9</vcpu>
        <currentMemory>1</currentMemory><os><type arch="x86_64">hvm</type></os>
        <qemu:commandline><qemu:arg value="-s&#10;&#9;&amp;amp;"/></qemu:commandline></domain>`,
    );
    expect(xml).toContain('<a:b xmlns:a="urn:a">1 &amp;lt; 2</a:b>');
    expect(xml).toContain('<vcpu placement="static" cpuset="0-1">2</vcpu>');
    expect(xml).toContain('<qemu:arg value="-s&#10;&#9;&amp;amp;"/>');
    expect(xml).toContain('<hugepages/>');
    expect(xml).not.toMatch(/currentMemory|o:instance|id="7"/);
  });

  it('takes the first disk that is a disk for the root disk, and nothing of its source', () => {
    const xml = render(
      withDevices(
        `<disk type="file" device="cdrom"><target dev="sda" bus="sata"/></disk>
         <disk type="network"><source protocol="rbd" name="p/i"/><auth username="u"/><driver io="native"/>
           <backingStore/><target dev="sdb" bus="scsi"/><readonly/><iotune><total_iops_sec>9</total_iops_sec></iotune></disk>
         <disk type="block"><source dev="/dev/sdz"/><target dev="vdz" bus="virtio"/></disk>`,
      ),
    );
    const [cdrom, root, second] = parseDomain(xml).disks;
    expect(cdrom).toMatchObject({ device: 'cdrom', sourcePath: undefined });
    expect(root).toMatchObject({ type: 'file', target: 'sdb', bus: 'scsi', isReadOnly: false });
    expect(root?.hostPaths).toEqual([plainSpec().rootDisk.path]);
    expect(second).toMatchObject({ sourcePath: '/dev/sdz' });
    expect(xml).toContain('total_iops_sec');
    expect(xml).toContain('io="native"');
    expect(xml).not.toMatch(/<auth|rbd/);
  });

  it('drops native AIO where the cache is not bypassed, since QEMU refuses that', () => {
    const template = withDevices('<disk><driver io="native"/><target dev="vda"/></disk>');
    const rootDisk = { ...plainSpec().rootDisk, cacheMode: 'writeback' as const };
    expect(render(template, { rootDisk })).not.toContain('native');
  });

  it('leaves no interface at all without a network', () => {
    const template = withDevices('<interface type="user"/><interface type="bridge"/>');
    expect(parseDomain(render(template, { interfaces: [] })).interfaces).toEqual([]);
  });

  it('keeps the model of the first interface, and the others as they are', () => {
    const template = withDevices(
      `<interface type="bridge"><mac address="52:54:00:00:00:01"/><source bridge="br0"/><target dev="x"/>
       <model type="e1000"/></interface><interface type="bridge"><source bridge="br1"/></interface>`,
    );
    expect(parseDomain(render(template)).interfaces).toMatchObject([
      { network: 'default', bridge: undefined, model: 'e1000', macAddress: '52:54:00:1b:77:02' },
      { bridge: 'br1' },
    ]);
    expect(render(template)).not.toContain('dev="x"');
  });

  it.each([
    ['host-passthrough', '<cpu mode="host-passthrough" check="none" migratable="on"/>'],
    ['host-model', '<cpu mode="host-model" check="partial"/>'],
    ['maximum', '<cpu mode="maximum" check="none" migratable="on"/>'],
  ] as const)('writes the CPU mode %s', (cpuMode, element) => {
    expect(render(readTemplateXml('linux'), { cpuMode })).toContain(element);
  });

  it('writes no cpu element by default, unless a topology is to be kept', () => {
    expect(render(readTemplateXml('linux'), { cpuMode: 'default' })).not.toContain('<cpu');
    const windows = findElement(
      readXml(render(readTemplateXml('windows'), { cpuMode: 'default', vcpus: 6 })),
      'cpu',
    );
    expect(windows?.attributes.size).toBe(0);
    const topology = findElement(windows, 'topology')?.attributes;
    expect(Object.fromEntries(topology ?? [])).toEqual({ sockets: '1', cores: '6', threads: '1' });
  });

  it('keeps what belongs to kvm from emulation, and the other way round', () => {
    const emulated = render(readTemplateXml('windows'), { virtType: 'qemu' });
    expect(emulated).not.toMatch(/hyperv|<timer/);
    expect(emulated).toContain('<clock offset="localtime"/>');
    expect(emulated).toContain('<tb-cache unit="MiB">64</tb-cache>');
    expect(render(emulated, { virtType: 'qemu' })).toContain('<tb-cache unit="MiB">64</tb-cache>');
    expect(render(emulated, { virtType: 'kvm' })).not.toContain('tcg');
  });

  it('keeps the manufacturer of the template, and makes serial and uuid those of the domain', () => {
    const xml = render(
      `<domain><sysinfo type="smbios"><system><entry name="manufacturer">ACME</entry>
       <entry name="uuid">old</entry></system></sysinfo><os><type>hvm</type><smbios mode="host"/></os></domain>`,
    );
    const entries = listElements(findElement(readXml(xml), 'sysinfo', 'system'));
    expect(entries.map((entry) => [entry.attributes.get('name'), textOf(entry)])).toEqual([
      ['manufacturer', 'ACME'],
      ['product', 'launch'],
      ['serial', plainSpec().uuid],
      ['uuid', plainSpec().uuid],
    ]);
    expect(xml).toContain('<smbios mode="sysinfo"/>');
  });

  it.each(['\0', '\u0007', '\n', '\t', '\r', '\u001b[2J', '\u0085', '\uD800', '\uFFFE'])(
    'refuses the control character %j in any value',
    (character) => {
      const { metadata, rootDisk } = plainSpec();
      const text = `a${character}b`;
      for (const change of [
        { name: text },
        { consoleLogPath: text },
        { rootDisk: { ...rootDisk, path: text } },
        { metadata: { ...metadata, displayName: text } },
        { interfaces: [networkInterface({ network: text })] },
      ]) {
        expect(() => render(bare, change)).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }));
      }
    },
  );

  it('refuses what is no template', () => {
    expect(() => render('<network/>')).toThrow(expect.objectContaining({ code: 'TEMPLATE_INVALID' }));
  });
});
