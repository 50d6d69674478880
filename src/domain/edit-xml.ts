import { createElement, type XmlElement } from './xml-element.js';

/**
 * The order in which libvirt itself writes what it knows, by parent. What it does not name here keeps its
 * place, and what is added goes before the first that comes later.
 */
const libvirtOrder: Readonly<Record<string, readonly string[]>> = {
  domain: [
    ...['name', 'uuid', 'genid', 'title', 'description', 'metadata', 'maxMemory', 'memory', 'currentMemory'],
    ...['memoryBacking', 'vcpu', 'iothreads', 'cputune', 'numatune', 'resource', 'sysinfo', 'os', 'features'],
    ...['cpu', 'clock', 'on_poweroff', 'on_reboot', 'on_crash', 'pm', 'devices', 'seclabel'],
  ],
  os: ['type', 'loader', 'nvram', 'kernel', 'initrd', 'cmdline', 'boot', 'bootmenu', 'bios', 'smbios'],
  devices: [
    ...['emulator', 'disk', 'controller', 'filesystem', 'interface', 'smartcard', 'serial', 'parallel'],
    ...['console', 'channel', 'input', 'tpm', 'graphics', 'sound', 'audio', 'video', 'hostdev', 'redirdev'],
    ...['watchdog', 'memballoon', 'rng', 'panic'],
  ],
  disk: ['driver', 'auth', 'source', 'backingStore', 'mirror', 'target', 'iotune', 'readonly', 'boot'],
  interface: ['mac', 'source', 'target', 'model', 'driver', 'filterref', 'boot'],
  serial: ['source', 'protocol', 'log', 'target'],
  console: ['source', 'log', 'target'],
  cpu: ['model', 'vendor', 'topology', 'cache', 'feature', 'numa'],
};

/** Puts a new child where libvirt would write it, after others of its name. */
export function insertChild(parent: XmlElement, child: XmlElement): XmlElement {
  const order = libvirtOrder[parent.name] ?? [];
  const rank = order.indexOf(child.name);
  const next = parent.children.findIndex((other) => {
    return typeof other !== 'string' && rank >= 0 && order.indexOf(other.name) > rank;
  });
  parent.children.splice(next < 0 ? parent.children.length : next, 0, child);
  return child;
}

/** The first child of that name, made where it is missing. */
export function ensureChild(parent: XmlElement, name: string): XmlElement {
  const found = parent.children.find((child): child is XmlElement => {
    return typeof child !== 'string' && child.name === name;
  });
  return found ?? insertChild(parent, createElement(name));
}

/** Puts a child in the place of all of its name, so that nothing of the template's is left in it. */
export function replaceChildren(parent: XmlElement, child: XmlElement): XmlElement {
  removeChildren(parent, child.name);
  return insertChild(parent, child);
}

export function removeChildren(parent: XmlElement | undefined, ...names: string[]): void {
  if (parent === undefined) return;
  parent.children = parent.children.filter(
    (child) => typeof child === 'string' || !names.includes(child.name),
  );
}

/** The one child of that name, with this text and without attributes. */
export function replaceText(parent: XmlElement, name: string, text: string): void {
  replaceChildren(parent, createElement(name, {}, text));
}
