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
  // Of the old form, with a length of two bytes.
  expect(key[0]).toBe(0x99);
  const packet = key.subarray(0, 3 + key.readUInt16BE(1));
  return createHash('sha1').update(packet).digest('hex').toUpperCase();
}

describe('our catalogue', () => {
  it('has what it promises, for both architectures', async () => {
    const entries = await ours();
    expect(entries.map(({ name }) => name)).toEqual([
      ...['alpine-3.22', 'alpine-3.23', 'debian-12', 'debian-13', 'fedora-42', 'fedora-43', 'fedora-44'],
      ...['ubuntu-22.04', 'ubuntu-24.04', 'ubuntu-26.04'],
    ]);
    for (const entry of entries) {
      for (const architecture of architectures) {
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
    expect(keys.length).toBeGreaterThanOrEqual(6);
    for (const { key = '', fingerprint } of keys) {
      expect(fingerprintOf(Buffer.from(key, 'base64'))).toBe(fingerprint);
    }
  });

  it('signs what its publisher signs', async () => {
    const entries = await ours();
    const signed = await Promise.all(
      entries.map(async (entry) => [entry.name, (await keysOf(entry)) !== undefined]),
    );
    for (const [name, isSigned] of signed) expect(isSigned).toBe(/^(ubuntu|fedora)/.test(String(name)));
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
  });
});
