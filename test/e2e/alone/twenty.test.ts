import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createE2eHost, requireTinyImage, tinyImage, virsh, type E2eHost } from '../../support/e2e-host.js';

interface Launched {
  readonly domainName: string;
  readonly displayName: string;
  readonly addresses: readonly { readonly address: string }[];
}

// Emulated on two cores that had other guests to run as well they took 200 s.
const count = 20;

describe('twenty guests by one command', () => {
  let host: E2eHost;
  let launched: readonly Launched[];

  beforeAll(async () => {
    await requireTinyImage();
    host = await createE2eHost();
    await host.launchJson(['image', 'import', tinyImage, '--name', 'tiny']);
    const many = (await host.launchJson([
      ...['tiny', '--flavor', 'm1.tiny', '--memory', '96', '--virt-type', 'qemu'],
      ...['--count', String(count), '--name', 'web-%d', '--wait', 'address', '--timeout', '25m'],
    ])) as { readonly launched: readonly Launched[]; readonly failed: readonly unknown[] };
    expect(many.failed).toEqual([]);
    launched = many.launched;
  }, 30 * 60_000);
  afterAll(() => host.dispose());

  it('come up, each under its name and at an address of its own', () => {
    const names = launched.map(({ displayName }) => displayName);
    expect(names).toEqual(Array.from({ length: count }, (_, index) => `web-${index + 1}`));
    const addresses = launched.map((one) => one.addresses[0]?.address);
    expect(addresses).not.toContain(undefined);
    expect(new Set(addresses).size).toBe(count);
  });

  it('are listed at the addresses that libvirt leased to them', async () => {
    const listed = (await host.launchJson(['list'])) as readonly Launched[];
    const leases = await virsh('net-dhcp-leases', 'default');
    for (const { domainName, addresses } of launched) {
      const [{ address } = { address: '' }] = addresses;
      expect(listed.find((one) => one.domainName === domainName)?.addresses).toMatchObject([{ address }]);
      expect(leases).toContain(` ${address}/`);
    }
  });

  it('are deleted together', async () => {
    const { exitCode } = await host.launch(['delete', '--all', '--yes']);
    expect(exitCode).toBe(0);
    expect(await host.domainNames()).toEqual([]);
  });
});
