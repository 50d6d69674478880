import type { DomainDisk, DomainSeed } from './domain-spec.js';
import { ensureChild, insertChild, removeChildren, replaceChildren } from './edit-xml.js';
import { LaunchError } from '../host/launch-error.js';
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

/**
 * The seed is a disk that the guest can read and not write, behind all others. Where the root disk is on a bus
 * for systems without virtio it is a CD-ROM there: what boots from IDE or SATA knows those.
 */
export function setSeedDisk(devices: XmlElement, seed: DomainSeed | undefined): void {
  if (seed === undefined) return;
  const { bus, device, prefix } = seedDrive(findElement(findRootDisk(devices), 'target'));
  insertChild(
    devices,
    createElement(
      'disk',
      { type: 'file', device },
      createElement('driver', { name: 'qemu', type: 'raw' }),
      createElement('source', { file: seed.path }),
      createElement('target', { dev: freeTarget(devices, prefix), bus }),
      createElement('readonly'),
    ),
  );
}

function seedDrive(root: XmlElement | undefined): {
  readonly bus: string;
  readonly device: 'disk' | 'cdrom';
  readonly prefix: string;
} {
  const bus = root?.attributes.get('bus') ?? 'virtio';
  switch (bus) {
    case 'ide':
      return { bus, device: 'cdrom', prefix: 'hd' };
    case 'sata':
    case 'usb':
      return { bus, device: 'cdrom', prefix: 'sd' };
    case 'scsi':
      return { bus, device: 'disk', prefix: 'sd' };
    default:
      return { bus: 'virtio', device: 'disk', prefix: 'vd' };
  }
}

/** `vdb`, or the first name behind it that no disk of the template has. */
function freeTarget(devices: XmlElement, prefix: string): string {
  const taken = listElements(devices, 'disk').map((disk) =>
    findElement(disk, 'target')?.attributes.get('dev'),
  );
  for (const letter of 'bcdefghijklmnopqrstuvwxyz') {
    if (!taken.includes(`${prefix}${letter}`)) return `${prefix}${letter}`;
  }
  throw new LaunchError('TEMPLATE_INVALID', 'the template has so many disks that the seed has no name left', {
    hint: 'remove some of them, or launch without a seed:  --seed none',
  });
}

function findRootDisk(devices: XmlElement): XmlElement | undefined {
  return listElements(devices, 'disk').find((disk) => (disk.attributes.get('device') ?? 'disk') === 'disk');
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
