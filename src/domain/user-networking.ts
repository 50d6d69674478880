import type { DescribedInterface } from './domain-description.js';
import { attributeOf, listElements, type XmlElement } from './xml-element.js';

/** How our own user networking is called in QEMU's arguments; the interface's place in the order follows. */
export const userNetworkPrefix = 'launch-user';

const firstSlot = 0x10;

/**
 * Where on bus 0 the card stands. libvirt gives out slots from below (pc) or behind root ports (q35, whose own
 * devices are from 0x19 up), and does not see what it hands to QEMU unread.
 */
export function userNetworkingSlot(index: number): number {
  return firstSlot + index;
}

const devices: Readonly<Record<string, string>> = {
  virtio: 'virtio-net-pci',
  'virtio-transitional': 'virtio-net-pci-transitional',
  'virtio-non-transitional': 'virtio-net-pci-non-transitional',
};

/** QEMU's name of a card from libvirt's. */
export function qemuDeviceOf(model: string): string {
  return devices[model] ?? model;
}

function modelOf(device: string): string {
  return Object.entries(devices).find(([, name]) => name === device)?.[0] ?? device;
}

/** The cards that render-interfaces.ts gave to QEMU, each with its place among all interfaces. */
export function parseUserNetworking(
  domain: XmlElement,
): readonly { readonly index: number; readonly described: DescribedInterface }[] {
  const line = listElements(domain).find(({ name }) => /^([^:]+:)?commandline$/.test(name));
  const values = listElements(line).map((arg) => attributeOf(arg, 'value') ?? '');
  return values.flatMap((value, position) => {
    if (values[position - 1] !== '-device') return [];
    const [device = '', ...rest] = splitOptions(value);
    const options = new Map(rest.map((option) => splitOption(option)));
    const id = options.get('netdev') ?? '';
    if (!id.startsWith(userNetworkPrefix)) return [];
    const described: DescribedInterface = {
      ...{ type: 'user', network: undefined, bridge: undefined, targetDevice: undefined },
      macAddress: options.get('mac'),
      model: modelOf(device),
    };
    return [{ index: Number(id.slice(userNetworkPrefix.length)), described }];
  });
}

/** At single commas; two are one comma in a value. */
function splitOptions(text: string): readonly string[] {
  return (text.match(/(?:[^,]|,,)+/g) ?? []).map((option) => option.replaceAll(',,', ','));
}

function splitOption(option: string): [string, string] {
  const equals = option.indexOf('=');
  return equals < 0 ? [option, ''] : [option.slice(0, equals), option.slice(equals + 1)];
}
