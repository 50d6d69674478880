import type { DomainInterface, PortForward } from '../domain/domain-spec.js';
import { escapeControls } from './terminal/escape.js';

/** One line each, or `none`. */
export function describeInterfaces(interfaces: readonly DomainInterface[]): readonly string[] {
  return interfaces.length === 0 ? ['none'] : interfaces.map(describeInterface);
}

/** `default, 52:54:00:1b:77:02, 192.168.122.50 reserved`, `user, …, 127.0.0.1:22012 to 22/tcp`. */
export function describeInterface(one: DomainInterface): string {
  const common = [one.macAddress, ...(one.model === null ? [] : [one.model])];
  switch (one.kind) {
    case 'network': {
      const reserved = one.address === null ? [] : [`${one.address} reserved`];
      return [escapeControls(one.network), ...common, ...reserved].join(', ');
    }
    case 'bridge':
      return [`bridge ${one.bridge}`, ...common].join(', ');
    case 'user':
      return ['user', ...common, ...one.forwards.map(describeForward)].join(', ');
  }
}

function describeForward({ protocol, hostAddress, hostPort, guestPort }: PortForward): string {
  const port = hostPort === 0 ? 'a free port' : `${hostPort}`;
  return `${hostAddress}:${port} to ${guestPort}/${protocol}`;
}
