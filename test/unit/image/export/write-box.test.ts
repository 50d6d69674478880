import { describe, expect, it } from 'vitest';
import { formatOfName } from '../../../../src/image/export/export-format.js';
import { renderTarHeader, tarEnd, tarPadding } from '../../../../src/image/export/tar-writer.js';
import { renderMetadata, renderVagrantfile } from '../../../../src/image/export/write-box.js';
import { parseTarHeader } from '../../../../src/image/unpack/tar-header.js';
import { sampleImage } from '../sample-image.js';

const gib = 1024 ** 3;
const modifiedAt = new Date('2026-01-02T03:04:05Z');

describe('a tar header', () => {
  it.each([0, 1, 8 * gib - 1, 8 * gib, 3000 * gib])('says a length of %d bytes', (lengthBytes) => {
    const header = parseTarHeader(renderTarHeader('box.img', lengthBytes, { modifiedAt }));
    expect(header).toMatchObject({ name: 'box.img', type: '0', storedBytes: lengthBytes });
  });

  it('of a name that does not fit is a bug, not another name', () => {
    expect(() => renderTarHeader('n'.repeat(101), 1, { modifiedAt })).toThrow('too long');
  });

  it.each([
    [0, 0],
    [1, 511],
    [512, 0],
    [513, 511],
  ])('content of %d bytes is followed by %d', (lengthBytes, padding) => {
    expect(tarPadding(lengthBytes)).toHaveLength(padding);
  });

  it.each([0, 512, 9216, 9728, 10240])('an archive of %d bytes ends on a whole record', (writtenBytes) => {
    const end = tarEnd(writtenBytes);
    expect((writtenBytes + end.length) % 10240).toBe(0);
    expect(end.length).toBeGreaterThanOrEqual(1024);
    expect(end.every((byte) => byte === 0)).toBe(true);
  });
});

describe('the metadata of a box', () => {
  it.each([
    [1, 1],
    [gib, 1],
    [gib + 512, 2],
    [20 * gib, 20],
  ])('calls a disk of %d bytes %d GiB', (virtualSizeBytes, expected) => {
    const metadata: unknown = JSON.parse(renderMetadata(sampleImage({ virtualSizeBytes })));
    expect(metadata).toEqual({ provider: 'libvirt', format: 'qcow2', virtual_size: expected });
  });
});

describe('the Vagrantfile of a box', () => {
  it('names the user to log in as', () => {
    expect(renderVagrantfile(sampleImage({ properties: { os_admin_user: 'debian' } }))).toBe(
      "Vagrant.configure('2') do |config|\n  config.ssh.username = 'debian'\nend\n",
    );
  });

  it.each([undefined, 'vagrant', "x'; system('id') #", 'x#{`id`}', 'x\ny', ''])(
    'has nothing of a property %j',
    (user) => {
      const properties = user === undefined ? {} : { os_admin_user: user };
      expect(renderVagrantfile(sampleImage({ properties }))).toBe(
        "Vagrant.configure('2') do |config|\nend\n",
      );
    },
  );
});

it.each([
  ['a.qcow2', 'qcow2'],
  ['/x/a.VHD', 'vpc'],
  ['a.vmdk', 'vmdk'],
  ['a.box', 'box'],
  ['a.img', undefined],
  ['box', undefined],
  ['.qcow2/box', undefined],
])('the name %s says %s', (name, format) => {
  expect(formatOfName(name)).toBe(format);
});
