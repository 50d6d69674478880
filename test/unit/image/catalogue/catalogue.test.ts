import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { architectures, filesOf, keysOf, readCatalogue } from '../../../../src/image/catalogue/catalogue.js';
import { newHome } from '../../host/new-home.js';

async function ours() {
  return await readCatalogue(join((await newHome()).root, 'catalogue.json'));
}

/** A key packet's fingerprint, as RFC 4880 has it for version 4. */
function fingerprintOf(key: Buffer): string {
  // Of the old form, with a length of one byte or two.
  expect([0x98, 0x99]).toContain(key[0]);
  const [start, lengthBytes] = key[0] === 0x98 ? [2, key.readUInt8(1)] : [3, key.readUInt16BE(1)];
  const prefix = Buffer.from([0x99, lengthBytes >> 8, lengthBytes & 0xff]);
  const body = key.subarray(start, start + lengthBytes);
  return createHash('sha1').update(prefix).update(body).digest('hex').toUpperCase();
}

describe('our catalogue', () => {
  it('has what it promises, for both architectures where there are images for both', async () => {
    const entries = await ours();
    expect(entries.map(({ name }) => name)).toEqual([
      ...['almalinux-9', 'almalinux-10', 'alpine-3.22', 'alpine-3.23', 'alpine-3.24', 'archlinux'],
      ...['centos-stream-9', 'centos-stream-10', 'debian-12', 'debian-13'],
      ...['fedora-42', 'fedora-43', 'fedora-44', 'opensuse-leap-16.0', 'opensuse-tumbleweed'],
      ...['rocky-9', 'rocky-10', 'ubuntu-22.04', 'ubuntu-24.04', 'ubuntu-26.04'],
    ]);
    const amd64Only = entries.filter(({ architectures: { arm64 } }) => arm64 === undefined);
    expect(amd64Only.map(({ name }) => name)).toEqual(['archlinux', 'opensuse-tumbleweed']);
    for (const entry of entries) {
      for (const architecture of architectures) {
        if (entry.architectures[architecture] === undefined) continue;
        for (const { url, checksums, signature = checksums } of filesOf(entry, architecture)) {
          for (const each of [url, checksums, signature]) {
            expect(each).toMatch(/^https:\/\/[^{}]+$/);
            expect(new URL(each).href).toBe(each);
          }
        }
      }
    }
  });

  it('has keys that are those of their fingerprints', async () => {
    const keys = (await ours()).flatMap((entry) => entry.keys);
    expect(keys.length).toBeGreaterThanOrEqual(10);
    for (const { key = '', fingerprint } of keys) {
      expect(fingerprintOf(Buffer.from(key, 'base64'))).toBe(fingerprint);
    }
  });

  it('signs what its publisher signs', async () => {
    const entries = await ours();
    const signed = await Promise.all(
      entries.map(async (entry) => [entry.name, (await keysOf(entry)) !== undefined]),
    );
    const signers = /^(almalinux|archlinux|fedora|opensuse-tumbleweed|ubuntu)/;
    for (const [name, isSigned] of signed)
      expect([name, isSigned]).toEqual([name, signers.test(String(name))]);
  });

  it('writes an address as its publisher does', async () => {
    const find = async (name: string) => {
      const entry = (await ours()).find((each) => each.name === name);
      return entry === undefined ? undefined : filesOf(entry, 'arm64')[0];
    };
    expect(await find('fedora-42')).toEqual({
      url: 'https://dl.fedoraproject.org/pub/fedora/linux/releases/42/Cloud/aarch64/images/Fedora-Cloud-Base-Generic-42-1.1.aarch64.qcow2',
      fileName: 'Fedora-Cloud-Base-Generic-42-1.1.aarch64.qcow2',
      checksums:
        'https://dl.fedoraproject.org/pub/fedora/linux/releases/42/Cloud/aarch64/images/Fedora-Cloud-42-1.1-aarch64-CHECKSUM',
      signature: undefined,
    });
    expect((await find('ubuntu-24.04'))?.signature).toBe(
      'https://cloud-images.ubuntu.com/releases/noble/release/SHA256SUMS.gpg',
    );
    expect(await find('rocky-9')).toEqual({
      url: 'https://dl.rockylinux.org/pub/rocky/9/images/aarch64/Rocky-9-GenericCloud-Base.latest.aarch64.qcow2',
      fileName: 'Rocky-9-GenericCloud-Base.latest.aarch64.qcow2',
      checksums:
        'https://dl.rockylinux.org/pub/rocky/9/images/aarch64/Rocky-9-GenericCloud-Base.latest.aarch64.qcow2.CHECKSUM',
      signature: undefined,
    });
    expect((await find('almalinux-10'))?.signature).toBe(
      'https://repo.almalinux.org/almalinux/10/cloud/aarch64/images/CHECKSUM.asc',
    );
    expect((await find('alpine-3.24'))?.checksums).toBe(
      'https://dl-cdn.alpinelinux.org/alpine/v3.24/releases/cloud/generic_alpine-3.24.1-aarch64-uefi-cloudinit-r0.qcow2.sha512',
    );
  });
});
