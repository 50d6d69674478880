import type {
  BackingFile,
  DescribedDisk,
  DescribedGraphics,
  DescribedInterface,
  DomainDescription,
} from './domain-description.js';
import { parseMetadata } from './launch-metadata.js';
import { readXml } from './read-xml.js';
import { parseUserNetworking } from './user-networking.js';
import { attributeOf, findElement, listElements, textOf, type XmlElement } from './xml-element.js';

// libvirt takes these in any case; KB is a thousand bytes, and K or KiB is 1024.
const bytesOfUnit: Readonly<Record<string, number>> = {
  ...{ b: 1, bytes: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 },
  ...{
    k: 2 ** 10,
    kib: 2 ** 10,
    m: 2 ** 20,
    mib: 2 ** 20,
    g: 2 ** 30,
    gib: 2 ** 30,
    t: 2 ** 40,
    tib: 2 ** 40,
  },
};

/**
 * Reads the XML of any libvirt domain, live or inactive; what is missing is undefined, what is unknown is
 * passed over.
 * @throws XmlSyntaxError when it is no XML, which libvirt's never is
 */
export function parseDomain(xml: string): DomainDescription {
  const domain = readXml(xml);
  const devices = findElement(domain, 'devices');
  return {
    name: textOf(findElement(domain, 'name')) ?? '',
    uuid: textOf(findElement(domain, 'uuid')),
    title: textOf(findElement(domain, 'title')),
    virtType: attributeOf(domain, 'type'),
    machineType: attributeOf(findElement(domain, 'os', 'type'), 'machine'),
    emulatorPath: textOf(findElement(devices, 'emulator')),
    cpuMode: attributeOf(findElement(domain, 'cpu'), 'mode'),
    memoryMib: parseMemory(findElement(domain, 'memory')),
    vcpus: parseCount(textOf(findElement(domain, 'vcpu'))) ?? 1,
    disks: listElements(devices, 'disk').map(parseDisk),
    interfaces: parseInterfaces(domain, devices),
    serialLogPath: findLogPath(devices),
    graphics: listElements(devices, 'graphics').map(parseGraphics),
    metadata: parseMetadata(domain),
  };
}

function parseMemory(memory: XmlElement | undefined): number | undefined {
  const amount = parseCount(textOf(memory));
  const bytes = bytesOfUnit[(attributeOf(memory, 'unit') ?? 'KiB').toLowerCase()];
  if (amount === undefined || bytes === undefined) return undefined;
  return Math.round((amount * bytes) / 2 ** 20);
}

function parseCount(text: string | undefined): number | undefined {
  return text !== undefined && /^\s*\d+\s*$/.test(text) ? Number(text) : undefined;
}

function parseDisk(disk: XmlElement): DescribedDisk {
  const source = findElement(disk, 'source');
  const target = findElement(disk, 'target');
  const driver = findElement(disk, 'driver');
  return {
    target: attributeOf(target, 'dev'),
    bus: attributeOf(target, 'bus'),
    device: attributeOf(disk, 'device') ?? 'disk',
    type: attributeOf(disk, 'type') ?? 'file',
    sourcePath: pathOf(source),
    volume: parseVolume(source),
    driverType: attributeOf(driver, 'type'),
    cacheMode: attributeOf(driver, 'cache'),
    isReadOnly: findElement(disk, 'readonly') !== undefined,
    backingChain: parseBackingChain(disk),
    hostPaths: [...collectPaths(disk, new Set())],
  };
}

function pathOf(source: XmlElement | undefined): string | undefined {
  return attributeOf(source, 'file') ?? attributeOf(source, 'dev') ?? attributeOf(source, 'dir');
}

function parseVolume(source: XmlElement | undefined): DescribedDisk['volume'] {
  const pool = attributeOf(source, 'pool');
  const name = attributeOf(source, 'volume');
  return pool === undefined || name === undefined ? undefined : { pool, name };
}

function parseBackingChain(disk: XmlElement): BackingFile[] {
  const chain: BackingFile[] = [];
  let store = findElement(disk, 'backingStore');
  // libvirt ends a chain that it knows with an empty element.
  while (store !== undefined && store.children.length > 0) {
    chain.push({
      path: pathOf(findElement(store, 'source')),
      format: attributeOf(findElement(store, 'format'), 'type'),
    });
    store = findElement(store, 'backingStore');
  }
  return chain;
}

function collectPaths(element: XmlElement, paths: Set<string>): Set<string> {
  for (const child of listElements(element)) {
    const path = child.name === 'source' ? pathOf(child) : undefined;
    if (path !== undefined) paths.add(path);
    collectPaths(child, paths);
  }
  return paths;
}

/** libvirt's own, and among them, in their places, those that QEMU got from us past libvirt. */
function parseInterfaces(domain: XmlElement, devices: XmlElement | undefined): readonly DescribedInterface[] {
  const interfaces = listElements(devices, 'interface').map(parseInterface);
  for (const { index, described } of parseUserNetworking(domain)) interfaces.splice(index, 0, described);
  return interfaces;
}

function parseInterface(element: XmlElement): DescribedInterface {
  const source = findElement(element, 'source');
  return {
    type: attributeOf(element, 'type') ?? '',
    network: attributeOf(source, 'network'),
    bridge: attributeOf(source, 'bridge'),
    macAddress: attributeOf(findElement(element, 'mac'), 'address'),
    model: attributeOf(findElement(element, 'model'), 'type'),
    targetDevice: attributeOf(findElement(element, 'target'), 'dev'),
  };
}

function findLogPath(devices: XmlElement | undefined): string | undefined {
  for (const port of [...listElements(devices, 'serial'), ...listElements(devices, 'console')]) {
    const path = attributeOf(findElement(port, 'log'), 'file');
    if (path !== undefined) return path;
  }
  return undefined;
}

function parseGraphics(graphics: XmlElement): DescribedGraphics {
  const port = attributeOf(graphics, 'port');
  return {
    type: attributeOf(graphics, 'type') ?? '',
    // -1 is libvirt's way to write that it will choose.
    port: port === undefined || port === '-1' ? undefined : parseCount(port),
    listenAddress: attributeOf(graphics, 'listen') ?? attributeOf(findElement(graphics, 'listen'), 'address'),
  };
}
