import type { DomainInterface, PortForward } from '../../domain/domain-spec.js';
import { LaunchError } from '../../host/launch-error.js';
import { isUnicastMac, parseIpv4 } from '../../host/network-address.js';

interface InterfaceRequest {
  /** By default a new one in QEMU's range. */
  readonly macAddress?: string | undefined;
  /** One of `interfaceModels`; by default what the image asks for (hw_vif_model), else the template's. */
  readonly model?: string | undefined;
}

/** One interface as it is asked for. */
export type NetworkRequest =
  | (InterfaceRequest & {
      readonly kind: 'network';
      readonly network: string;
      /** IPv4 address that the network's DHCP server shall keep for this instance. */
      readonly address?: string | undefined;
    })
  | (InterfaceRequest & { readonly kind: 'bridge'; readonly bridge: string })
  | (InterfaceRequest & { readonly kind: 'user' });

/** A port of this host that leads to the guest; host port 0 is any that is free. */
export interface PublishedPort {
  readonly protocol: 'tcp' | 'udp';
  /** IPv4; by default 127.0.0.1, so that nobody else reaches the guest. */
  readonly hostAddress?: string | undefined;
  readonly hostPort: number;
  readonly guestPort: number;
}

/** Cards that libvirt and QEMU have for x86; whether an image has the driver is for its owner to know. */
const interfaceModels = [
  ...['virtio', 'virtio-transitional', 'virtio-non-transitional', 'e1000', 'e1000e', 'igb', 'rtl8139'],
  ...['ne2k_pci', 'pcnet', 'vmxnet3', 'i82551', 'i82557b', 'i82559er'],
] as const;

/** As many as have a place of their own on the PCI bus beside user networking (domain/render-interfaces.ts). */
const maximumInterfaces = 8;

/**
 * The interfaces of an instance from what was asked for. Host ports that are left to us stay 0.
 *
 * @throws LaunchError ARGUMENT_INVALID
 */
export function planInterfaces(
  request: {
    readonly networks?: readonly NetworkRequest[] | undefined;
    readonly publish?: readonly PublishedPort[] | undefined;
  },
  facts: {
    readonly macAddresses: readonly string[];
    readonly defaultNetwork: NetworkRequest;
    readonly image: { readonly properties: Readonly<Record<string, string>> };
  },
): readonly DomainInterface[] {
  const networks = request.networks ?? [facts.defaultNetwork];
  if (networks.length > maximumInterfaces) {
    throw new LaunchError(
      'ARGUMENT_INVALID',
      `an instance has at most ${maximumInterfaces} interfaces, not ${networks.length}`,
    );
  }
  const publish = request.publish ?? [];
  checkPublished(publish, networks);
  const firstUser = networks.findIndex(({ kind }) => kind === 'user');
  const interfaces = networks.map((network, index): DomainInterface => {
    const common = {
      macAddress: checkMac(network.macAddress) ?? facts.macAddresses[index] ?? '',
      model: checkModel(network.model ?? facts.image.properties['hw_vif_model']),
    };
    switch (network.kind) {
      case 'network': {
        const address = checkIpv4(network.address) ?? null;
        return { kind: 'network', network: network.network, ...common, address };
      }
      case 'bridge':
        return { kind: 'bridge', bridge: network.bridge, ...common };
      case 'user':
        return { kind: 'user', ...common, forwards: forwardsOf(index === firstUser ? publish : []) };
    }
  });
  checkDistinctMacs(interfaces);
  return interfaces;
}

/** Port 22 is always reached somehow: without it nobody could log in. */
function forwardsOf(publish: readonly PublishedPort[]): readonly PortForward[] {
  const asked = publish.map(({ hostAddress, ...ports }) => ({
    ...ports,
    hostAddress: checkIpv4(hostAddress) ?? '127.0.0.1',
  }));
  if (asked.some(({ protocol, guestPort }) => protocol === 'tcp' && guestPort === 22)) return asked;
  return [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 0, guestPort: 22 }, ...asked];
}

function checkPublished(publish: readonly PublishedPort[], networks: readonly NetworkRequest[]): void {
  if (publish.length === 0) return;
  if (!networks.some(({ kind }) => kind === 'user')) {
    throw new LaunchError('ARGUMENT_INVALID', 'a port can be published only with user networking', {
      hint: [
        'add it:  --network user    (beside others, too)',
        'a guest on a network of libvirt needs none of it on this host, which reaches its address itself:  launch list',
      ].join('\n'),
    });
  }
  const seen: PublishedPort[] = [];
  for (const port of publish) {
    if (!isPort(port.guestPort) || port.guestPort === 0 || !isPort(port.hostPort)) {
      throw new LaunchError(
        'ARGUMENT_INVALID',
        `cannot publish ${port.hostPort}:${port.guestPort}: a port is a whole number from 1 to 65535`,
      );
    }
    if (port.hostPort !== 0 && seen.some((other) => listensAlike(other, port))) {
      throw new LaunchError(
        'ARGUMENT_INVALID',
        `the port ${port.hostPort}/${port.protocol} of this host is published twice`,
      );
    }
    seen.push(port);
  }
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 0 && port <= 65_535;
}

function listensAlike(one: PublishedPort, other: PublishedPort): boolean {
  const [first, second] = [one.hostAddress ?? '127.0.0.1', other.hostAddress ?? '127.0.0.1'];
  return (
    one.protocol === other.protocol &&
    one.hostPort === other.hostPort &&
    (first === second || first === '0.0.0.0' || second === '0.0.0.0')
  );
}

function checkMac(macAddress: string | undefined): string | undefined {
  if (macAddress === undefined) return undefined;
  const lower = macAddress.toLowerCase();
  if (isUnicastMac(lower)) return lower;
  throw new LaunchError('ARGUMENT_INVALID', `${JSON.stringify(macAddress)} is no MAC address for a card`, {
    hint: 'six bytes, the second digit even, not all zero, such as 52:54:00:12:34:56',
  });
}

function checkIpv4(address: string | undefined): string | undefined {
  if (address === undefined || parseIpv4(address) !== undefined) return address;
  throw new LaunchError('ARGUMENT_INVALID', `${JSON.stringify(address)} is no IPv4 address`, {
    hint: 'four numbers from 0 to 255 without leading zeros, such as 192.168.122.50',
  });
}

function checkModel(model: string | undefined): string | null {
  if (model === undefined) return null;
  if ((interfaceModels as readonly string[]).includes(model)) return model;
  throw new LaunchError('ARGUMENT_INVALID', `there is no network card ${JSON.stringify(model)}`, {
    hint: `there are: ${interfaceModels.join(', ')}`,
  });
}

function checkDistinctMacs(interfaces: readonly DomainInterface[]): void {
  const seen = new Set<string>();
  for (const { macAddress } of interfaces) {
    if (seen.has(macAddress)) {
      throw new LaunchError('ARGUMENT_INVALID', `two interfaces cannot both have ${macAddress}`);
    }
    seen.add(macAddress);
  }
}
