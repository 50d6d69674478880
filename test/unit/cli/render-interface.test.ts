import { describe, expect, it } from 'vitest';

import { renderNetworks } from '../../../src/cli/commands/list.js';
import { describeInterfaces } from '../../../src/cli/render-interface.js';
import type { DomainInterface } from '../../../src/domain/domain-spec.js';
import type { InstanceView } from '../../../src/instance/list-instances.js';
import { sampleInstance } from '../instance/sample-host.js';

const macAddress = '52:54:00:1b:77:02';
const ssh = { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 20_012, guestPort: 22 } as const;
const interfaces: readonly DomainInterface[] = [
  { kind: 'network', network: 'default', macAddress, model: null, address: '192.168.122.50' },
  { kind: 'bridge', bridge: 'br0', macAddress, model: 'e1000' },
  { kind: 'user', macAddress, model: null, forwards: [ssh, { ...ssh, hostPort: 0, guestPort: 80 }] },
];

describe('interfaces for people', () => {
  it('are a line each', () => {
    expect(describeInterfaces(interfaces)).toEqual([
      `default, ${macAddress}, 192.168.122.50 reserved`,
      `bridge br0, ${macAddress}, e1000`,
      `user, ${macAddress}, 127.0.0.1:20012 to 22/tcp, 127.0.0.1:a free port to 80/tcp`,
    ]);
    expect(describeInterfaces([])).toEqual(['none']);
  });

  it('are what the guest is reached by in a list', () => {
    const view: InstanceView = {
      ...({ domainName: 'a', status: 'ACTIVE', domainState: 'running', problems: [] } as const),
      record: sampleInstance(1, { interfaces }),
      addresses: [
        { network: 'default', address: '192.168.122.50', macAddress },
        { network: 'br0', address: '10.1.2.3', macAddress },
        { network: 'br0', address: '10.1.2.4', macAddress: '52:54:00:00:00:99' },
      ],
    };
    expect(renderNetworks(view)).toBe('default=192.168.122.50, br0=10.1.2.3, user=127.0.0.1:20012');
    expect(renderNetworks({ ...view, addresses: [] })).toBe('default, br0, user=127.0.0.1:20012');
    expect(renderNetworks({ ...view, record: sampleInstance(1, { interfaces: [] }) })).toBe('');
  });
});
