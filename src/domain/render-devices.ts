import type { DomainDisk, DomainNetwork } from './domain-spec.js';
import { ensureChild, insertChild, removeChildren, replaceChildren } from './edit-xml.js';
import { createElement, findElement, listElements, type XmlElement } from './xml-element.js';

/** The first disk that is neither cdrom nor floppy; bus, target and tuning stay the template's. */
export function setRootDisk(devices: XmlElement, disk: DomainDisk): void {
  const element = findRootDisk(devices) ?? insertChild(devices, createElement('disk'));
  element.attributes.set('type', 'file').set('device', 'disk');
  // What belongs to the template's own source says nothing of this one. Named by libvirt itself, the chain
  // under it is what the overlay's header says.
  removeChildren(element, 'auth', 'backingStore', 'mirror', 'readonly', 'transient');
  setDriver(ensureChild(element, 'driver'), disk);
  replaceChildren(element, createElement('source', { file: disk.path }));
  if (findElement(element, 'target') === undefined) {
    insertChild(element, createElement('target', { dev: 'vda', bus: 'virtio' }));
  }
}

function setDriver(driver: XmlElement, disk: DomainDisk): void {
  driver.attributes.set('name', 'qemu').set('type', disk.driverType).set('cache', disk.cacheMode);
  if (!driver.attributes.has('discard')) driver.attributes.set('discard', 'unmap');
  // Native AIO without O_DIRECT is refused. It is never set here: a sparse file makes it wait for blocks.
  if (disk.cacheMode !== 'none' && driver.attributes.get('io') === 'native') driver.attributes.delete('io');
}

function findRootDisk(devices: XmlElement): XmlElement | undefined {
  return listElements(devices, 'disk').find((disk) => (disk.attributes.get('device') ?? 'disk') === 'disk');
}

/** The first interface joins the network and keeps its model; without a network there is none at all. */
export function setInterface(devices: XmlElement, network: DomainNetwork | undefined): void {
  if (network === undefined) {
    removeChildren(devices, 'interface');
    return;
  }
  const element = ensureChild(devices, 'interface');
  element.attributes.set('type', 'network');
  removeChildren(element, 'target', 'backend', 'ip', 'virtualport');
  replaceChildren(element, createElement('mac', { address: network.macAddress }));
  replaceChildren(element, createElement('source', { network: network.name }));
  if (findElement(element, 'model') === undefined) {
    insertChild(element, createElement('model', { type: 'virtio' }));
  }
}

/** What the first serial port prints goes to this file, after what is there already. */
export function setConsoleLog(devices: XmlElement, path: string): void {
  const found = findElement(devices, 'serial');
  const serial = found ?? insertChild(devices, createElement('serial', { type: 'pty' }));
  replaceChildren(serial, createElement('log', { file: path, append: 'on' }));
  const consoles = listElements(devices, 'console');
  // The console on a serial port is that port, and libvirt copies its log.
  for (const console of consoles) {
    if (isSerial(console)) removeChildren(console, 'log');
  }
  if (consoles.length === 0) {
    insertChild(
      devices,
      createElement('console', { type: 'pty' }, createElement('target', { type: 'serial' })),
    );
  }
}

function isSerial(console: XmlElement): boolean {
  return (findElement(console, 'target')?.attributes.get('type') ?? 'serial') === 'serial';
}
