import { describe, expect, it } from 'vitest';

import { checkWait, defaultWait } from '../../../../src/instance/readiness/launch-wait.js';
import { launchErrorOf } from '../../host/launch-error-of.js';
import { sampleImage } from '../../image/sample-image.js';

const card = {
  kind: 'network',
  network: 'default',
  macAddress: '52:54:00:00:00:01',
  model: null,
  address: null,
} as const;

describe('what a launch waits for by default', () => {
  const wait = (image: object, interfaces: readonly (typeof card)[] = [card]) =>
    defaultWait({ ...sampleImage(), ...image }, { interfaces }).kind;

  it('is ssh where the image is known to have it', () => {
    expect(wait({ properties: { os_admin_user: 'debian' } })).toBe('ssh');
    expect(wait({ catalogue: { name: 'debian-12', architecture: 'amd64' } })).toBe('ssh');
    const archive = 'vagrant-box';
    expect(wait({ downloaded: { sizeBytes: 1, sha256: '0'.repeat(64), compression: null, archive } })).toBe(
      'ssh',
    );
  });

  it('is the start of all others, and of those without a network', () => {
    expect(wait({})).toBe('running');
    expect(wait({ properties: { os_admin_user: 'debian' } }, [])).toBe('running');
  });
});

describe('checkWait', () => {
  it('refuses to wait for an address that cannot come', async () => {
    for (const kind of ['address', 'ssh'] as const) {
      const error = await launchErrorOf(() => {
        checkWait({ kind }, { interfaces: [] });
      });
      expect(error.code).toBe('ARGUMENT_INVALID');
      checkWait({ kind }, { interfaces: [card] });
    }
    checkWait({ kind: 'cloud-init' }, { interfaces: [] });
  });
});
