import { describe, expect, it } from 'vitest';

import type { DomainInterface } from '../../../src/domain/domain-spec.js';
import { parseDomain } from '../../../src/domain/parse-domain.js';
import { renderDomain } from '../../../src/domain/render-domain.js';
import { networkInterface, plainSpec, readTemplateXml } from './domain-cases.js';

const qemu = 'xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0"';
const bridge: DomainInterface = {
  kind: 'bridge',
  bridge: 'br0',
  macAddress: '52:54:00:00:00:0b',
  model: null,
};
const user: DomainInterface = {
  ...{ kind: 'user', macAddress: '52:54:00:00:00:0c', model: null },
  forwards: [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 20_012, guestPort: 22 }],
};

function render(template: string, ...interfaces: readonly DomainInterface[]): string {
  return renderDomain(template, { ...plainSpec(), interfaces });
}

function templateOf(devices: string, more = ''): string {
  return `<domain ${qemu}><os><type>hvm</type></os><devices>${devices}</devices>${more}</domain>`;
}

describe('interfaces in the domain', () => {
  it('are in their order, before those of the template that nobody asked about', () => {
    const template = templateOf(
      '<interface type="network"><source network="a"/><model type="e1000"/><mtu size="9000"/></interface>' +
        '<interface type="direct"><source dev="eth7"/></interface>',
    );
    const xml = render(template, bridge, networkInterface({ network: 'lab' }));
    expect(parseDomain(xml).interfaces).toMatchObject([
      { type: 'bridge', bridge: 'br0', network: undefined, model: 'e1000' },
      { type: 'network', network: 'lab', bridge: undefined, model: 'e1000' },
      { type: 'direct' },
    ]);
    // What is the template's own stays with its own.
    expect(xml.match(/<mtu size="9000"\/>/g)).toHaveLength(1);
  });

  it('have the model that is asked for, and lose nothing else of it', () => {
    const template = templateOf(
      '<interface type="network"><model type="e1000"/><boot order="1"/></interface>',
    );
    const xml = render(template, networkInterface({ model: 'virtio' }));
    expect(parseDomain(xml).interfaces).toMatchObject([{ model: 'virtio' }]);
    expect(xml).toContain('<boot order="1"/>');
  });

  it('have places of libvirt’s choice, unless QEMU’s own stand among them', () => {
    expect(render(readTemplateXml('linux'), networkInterface(), bridge)).not.toContain('<address');
    const mixed = render(readTemplateXml('linux'), bridge, user, networkInterface());
    expect(mixed.match(/slot="0x1\d"/g)).toEqual(['slot="0x10"', 'slot="0x12"']);
    expect(mixed).toContain('mac=52:54:00:00:00:0c,addr=0x11"');
    expect(parseDomain(mixed).interfaces.map(({ type }) => type)).toEqual(['bridge', 'user', 'network']);
  });

  it('behind user networking take QEMU’s name of the card', () => {
    expect(render(readTemplateXml('linux'), user)).toContain('value="virtio-net-pci,netdev=launch-user0');
    expect(render(readTemplateXml('windows'), user)).toContain('value="e1000e,netdev=launch-user0');
    const modern = render(readTemplateXml('linux'), { ...user, model: 'virtio-non-transitional' });
    expect(modern).toContain('value="virtio-net-pci-non-transitional,');
    expect(parseDomain(modern).interfaces).toMatchObject([{ model: 'virtio-non-transitional' }]);
  });

  it('behind user networking are each in a subnet of their own', () => {
    const xml = render(readTemplateXml('linux'), user, { ...user, macAddress: '52:54:00:00:00:0d' });
    expect(xml).toContain('user,id=launch-user0,net=10.0.2.0/24,hostfwd=tcp:127.0.0.1:20012-:22');
    expect(xml).toContain('user,id=launch-user1,net=10.0.3.0/24,');
  });

  it('take the place of those that an earlier rendering gave to QEMU; arguments of others stay', () => {
    const own = `<qemu:commandline><qemu:arg value="-device"/><qemu:arg value="edu"/><qemu:env name="A" value="b"/></qemu:commandline>`;
    const first = render(templateOf('', own), user);
    expect(first.match(/<qemu:commandline>/g)).toHaveLength(1);
    // Environment variables come last in libvirt's schema.
    expect(first.indexOf('launch-user0')).toBeLessThan(first.indexOf('<qemu:env'));
    expect(render(first, user)).toBe(first);
    const without = render(first);
    expect(without).not.toContain('launch-user');
    expect(without).toContain('<qemu:arg value="edu"/>');
    expect(render(render(readTemplateXml('linux'), user))).not.toContain('commandline');
  });

  it('find the namespace under whatever prefix it has', () => {
    const template = templateOf('').replace('xmlns:qemu', 'xmlns:q');
    const xml = render(template, user);
    expect(xml).toContain('<q:arg value="-netdev"/>');
    expect(parseDomain(xml).interfaces).toMatchObject([{ type: 'user', macAddress: user.macAddress }]);
  });

  it('keep a comma in a value from becoming an option', () => {
    const xml = render(readTemplateXml('linux'), { ...user, macAddress: 'a,b=c' });
    expect(xml).toContain('mac=a,,b=c,addr=');
    expect(parseDomain(xml).interfaces).toMatchObject([{ macAddress: 'a,b=c' }]);
  });
});
