import type { DomainInterface, UserInterface } from './domain-spec.js';
import { insertChild, removeChildren, replaceChildren } from './edit-xml.js';
import { qemuDeviceOf, userNetworkingSlot, userNetworkPrefix } from './user-networking.js';
import { createElement, findElement, listElements, type XmlElement } from './xml-element.js';

/** libvirt's namespace for arguments that it hands to QEMU as they are. */
const qemuNamespace = 'http://libvirt.org/schemas/domain/qemu/1.0';

/**
 * The first interface of the template becomes the first that is asked for, and keeps what is its own, such as
 * the model; further ones follow it with the same model. Without any, none of the template's is left.
 */
export function setInterfaces(
  domain: XmlElement,
  devices: XmlElement,
  asked: readonly DomainInterface[],
): void {
  removeUserNetworking(domain);
  const template = findElement(devices, 'interface');
  if (asked.length === 0) {
    removeChildren(devices, 'interface');
    return;
  }
  const templateModel = findElement(template, 'model')?.attributes.get('type') ?? 'virtio';
  // The guest meets its cards in the order of their places on the PCI bus, and libvirt knows nothing of
  // QEMU's own: where there is one of those, each gets its place from us.
  const fixed = asked.some(({ kind }) => kind === 'user');
  const elements = asked.flatMap((one, index) => {
    if (one.kind === 'user') {
      addUserNetworking(domain, one, { index, model: one.model ?? templateModel });
      return [];
    }
    const element = index === 0 && template !== undefined ? template : createElement('interface');
    setInterface(element, one, templateModel);
    if (fixed) replaceChildren(element, pciAddress(userNetworkingSlot(index)));
    return [element];
  });
  const kept = listElements(devices, 'interface').filter((element) => element !== template);
  removeChildren(devices, 'interface');
  for (const element of [...elements, ...kept]) insertChild(devices, element);
}

function setInterface(
  element: XmlElement,
  asked: Exclude<DomainInterface, UserInterface>,
  templateModel: string,
): void {
  element.attributes.set('type', asked.kind);
  removeChildren(element, 'target', 'backend', 'ip', 'virtualport', 'alias');
  replaceChildren(element, createElement('mac', { address: asked.macAddress }));
  const source = asked.kind === 'network' ? { network: asked.network } : { bridge: asked.bridge };
  replaceChildren(element, createElement('source', source));
  const model = asked.model ?? templateModel;
  if (findElement(element, 'model')?.attributes.get('type') !== model) {
    replaceChildren(element, createElement('model', { type: model }));
  }
}

function pciAddress(slot: number): XmlElement {
  return createElement('address', {
    ...{ type: 'pci', domain: '0x0000', bus: '0x00', slot: hex(slot), function: '0x0' },
  });
}

/**
 * User networking that forwards ports. libvirt's own `<interface type="user">` cannot forward any (only its
 * passt backend can, which Debian 12's libvirt refuses), and QEMU's monitor would forget them at each start.
 */
function addUserNetworking(
  domain: XmlElement,
  asked: UserInterface,
  options: { readonly index: number; readonly model: string },
): void {
  const { index, model } = options;
  const id = `${userNetworkPrefix}${index}`;
  const netdev = [
    ['user'],
    ['id', id],
    // Each its own subnet, or the guest could not tell them apart; the guest is always the fifteenth.
    ['net', `10.0.${index + 2}.0/24`],
    ...asked.forwards.map((forward) => [
      'hostfwd',
      `${forward.protocol}:${forward.hostAddress}:${forward.hostPort}-:${forward.guestPort}`,
    ]),
  ];
  const device = [
    [qemuDeviceOf(model)],
    ['netdev', id],
    ['id', `${id}-card`],
    ['mac', asked.macAddress],
    ['addr', hex(userNetworkingSlot(index))],
  ];
  addArguments(domain, ['-netdev', optionText(netdev), '-device', optionText(device)]);
}

function optionText(options: readonly (readonly string[])[]): string {
  // A comma ends an option's value, and two are one in it.
  return options.map((option) => option.map((text) => text.replaceAll(',', ',,')).join('=')).join(',');
}

function addArguments(domain: XmlElement, values: readonly string[]): void {
  const prefix = ensurePrefix(domain);
  const name = `${prefix}commandline`;
  const line = findElement(domain, name) ?? createElement(name);
  if (!domain.children.includes(line)) domain.children.push(line);
  // Arguments come before environment variables in libvirt's schema.
  const end = line.children.findIndex((child) => typeof child !== 'string' && child.name !== `${prefix}arg`);
  line.children.splice(
    end < 0 ? line.children.length : end,
    0,
    ...values.map((value) => createElement(`${prefix}arg`, { value })),
  );
}

/** What an earlier rendering put there, when a domain of ours is the template. */
function removeUserNetworking(domain: XmlElement): void {
  const prefix = findPrefix(domain);
  const line = prefix === undefined ? undefined : findElement(domain, `${prefix}commandline`);
  if (line === undefined) return;
  const ours = (child: XmlElement | string | undefined) =>
    typeof child === 'object' && (child.attributes.get('value') ?? '').includes(`=${userNetworkPrefix}`);
  line.children = line.children.filter(
    (child, index) => !ours(child) && !(isOption(child) && ours(line.children[index + 1])),
  );
  if (line.children.length === 0) removeChildren(domain, line.name);
}

function isOption(child: XmlElement | string): boolean {
  return typeof child === 'object' && ['-netdev', '-device'].includes(child.attributes.get('value') ?? '');
}

/** The prefix with its colon; undefined when the document does not use the namespace. */
function findPrefix(domain: XmlElement): string | undefined {
  for (const [name, value] of domain.attributes) {
    if (value === qemuNamespace && name.startsWith('xmlns:')) return `${name.slice('xmlns:'.length)}:`;
  }
  return undefined;
}

function ensurePrefix(domain: XmlElement): string {
  const found = findPrefix(domain);
  if (found !== undefined) return found;
  domain.attributes.set('xmlns:qemu', qemuNamespace);
  return 'qemu:';
}

function hex(slot: number): string {
  return `0x${slot.toString(16).padStart(2, '0')}`;
}
