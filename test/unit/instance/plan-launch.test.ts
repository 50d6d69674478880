import { describe, expect, it } from 'vitest';

import type { LaunchError } from '../../../src/host/launch-error.js';
import { planLaunch, type LaunchFacts, type LaunchRequest } from '../../../src/instance/plan-launch.js';
import type { SeedFacts } from '../../../src/instance/seed/plan-seed.js';
import { launchErrorOf } from '../host/launch-error-of.js';
import { sampleImage } from '../image/sample-image.js';

const GIB = 1024 ** 3;
const small = { name: 'm1.small', memoryMib: 2048, vcpus: 1, diskGib: 20 };
const facts: LaunchFacts = {
  image: sampleImage(),
  flavor: small,
  virtType: 'kvm',
  domainName: 'instance-0000000c',
  seed: undefined,
  uuid: 'fd0cb2f1-8375-44c9-b1f4-3e1f4c4a8ef0',
  macAddresses: ['52:54:00:00:00:01', '52:54:00:00:00:02'],
  defaultNetwork: { kind: 'network', network: 'default' },
};

function plan(request: Partial<LaunchRequest> = {}, changes: Partial<LaunchFacts> = {}) {
  return planLaunch({ image: 'fedora-17', ...request }, { ...facts, ...changes });
}

async function refusal(
  request: Partial<LaunchRequest>,
  changes: Partial<LaunchFacts> = {},
): Promise<LaunchError> {
  return await launchErrorOf(() => plan(request, changes));
}

describe('planLaunch', () => {
  it('turns a bare request into the whole plan', () => {
    expect(plan()).toEqual({
      domainName: 'instance-0000000c',
      displayName: 'instance-0000000c',
      uuid: 'fd0cb2f1-8375-44c9-b1f4-3e1f4c4a8ef0',
      image: facts.image,
      flavor: small,
      virtType: 'kvm',
      template: 'linux',
      interfaces: [
        { kind: 'network', network: 'default', macAddress: '52:54:00:00:00:01', model: null, address: null },
      ],
      seed: undefined,
      login: { user: null, identityFile: null },
      baseName: '06a057b9c7b0b27e3b496f53d1e88810a0d1d5d3_20',
      baseFormat: 'raw',
      disk: { kind: 'overlay', virtualSizeBytes: 20 * GIB, preallocation: undefined },
    });
  });

  it('changes nothing that it was given', () => {
    const request: LaunchRequest = Object.freeze({ image: 'fedora-17', memoryMib: 512 });
    planLaunch(request, Object.freeze({ ...facts, flavor: Object.freeze({ ...small }) }));
    expect(facts.flavor).toEqual(small);
  });

  it('takes sizes of its own instead of the flavor’s, and keeps the flavor’s name', () => {
    const { flavor, disk, baseName } = plan({ memoryMib: 1024, vcpus: 2, diskGib: 30 });
    expect(flavor).toEqual({ name: 'm1.small', memoryMib: 1024, vcpus: 2, diskGib: 30 });
    expect([disk.virtualSizeBytes, baseName.endsWith('_30')]).toEqual([30 * GIB, true]);
  });

  it('gives the disk the image’s own size where the flavor has none', () => {
    const { disk, baseName } = plan({ diskGib: 0 });
    expect([disk.virtualSizeBytes, baseName]).toEqual([2 * GIB, '06a057b9c7b0b27e3b496f53d1e88810a0d1d5d3']);
  });

  it('has no network only when none was asked for', () => {
    expect(plan({ networks: [] }).interfaces).toEqual([]);
    expect(plan({ networks: [{ kind: 'network', network: 'isolated' }] }).interfaces).toMatchObject([
      { kind: 'network', network: 'isolated' },
    ]);
  });

  it('makes a raw copy without copy on write', () => {
    expect(plan({ cow: false }).disk.kind).toBe('copy');
    expect(plan({ cow: true }).disk.kind).toBe('overlay');
    expect(plan({ cow: false, preallocation: 'falloc' }).disk.preallocation).toBe('falloc');
  });

  it.each(['metadata', 'full'] as const)('cannot preallocate a raw copy as %s', async (preallocation) => {
    const error = await refusal({ cow: false, preallocation });
    expect([error.code, error.message]).toEqual([
      'ARGUMENT_INVALID',
      `a raw copy cannot be preallocated as "${preallocation}"`,
    ]);
    expect(error.hint).toContain('--preallocate falloc');
  });

  it('takes any name that can be printed, since it is never a path', () => {
    expect(plan({ name: '../web & <db>' })).toMatchObject({
      displayName: '../web & <db>',
      domainName: 'instance-0000000c',
    });
  });

  it.each(['', '-x', 'a\nb'])('refuses the name %j', async (name) => {
    expect((await refusal({ name })).code).toBe('NAME_INVALID');
  });

  it.each([{ memoryMib: 0 }, { vcpus: 1.5 }, { diskGib: -1 }, { memoryMib: NaN }])(
    'refuses the sizes %j',
    async (sizes) => {
      expect((await refusal(sizes)).code).toBe('FLAVOR_INVALID');
    },
  );
});

describe('a seed', () => {
  const seed: SeedFacts = {
    ...{ kind: 'nocloud', needsNetwork: false, hostname: undefined, user: 'alice', identityFile: '/k' },
  };

  it('names the guest after the instance, and says who logs in with what', () => {
    expect(plan({ name: 'Web 1' }, { seed })).toMatchObject({
      seed: { kind: 'nocloud', hostname: 'web-1', needsNetwork: false },
      login: { user: 'alice', identityFile: '/k' },
    });
    expect(plan({}, { seed }).seed?.hostname).toBe('instance-0000000c');
    expect(plan({ name: '名前' }, { seed }).seed?.hostname).toBe('instance-0000000c');
  });

  it('names it otherwise when asked to', () => {
    const named = { ...seed, hostname: 'db.example.com' };
    expect(plan({ name: 'Web 1' }, { seed: named }).seed?.hostname).toBe('db.example.com');
  });
});

describe('an image that does not fit', () => {
  it('is refused when its virtual size is larger than the disk, with both sizes', async () => {
    const error = await refusal({}, { flavor: { ...small, name: 'm1.tiny', diskGib: 1 } });
    expect([error.code, error.message]).toEqual([
      'FLAVOR_TOO_SMALL',
      'cannot launch "fedora-17" as m1.tiny: the image needs 2 GiB of disk, the flavor has 1 GiB',
    ]);
    expect(error.hint).toContain('launch flavor list');
    expect(error.details).toEqual({ neededBytes: 2 * GIB, flavorBytes: GIB });
  });

  it('is refused by one byte, and fits to the byte', async () => {
    const exact = sampleImage({ virtualSizeBytes: 20 * GIB });
    expect(plan({}, { image: exact }).disk.virtualSizeBytes).toBe(20 * GIB);
    const larger = sampleImage({ virtualSizeBytes: 20 * GIB + 1 });
    const error = await refusal({}, { image: larger });
    expect(error.message).toContain('needs 21 GiB of disk, the flavor has 20 GiB');
  });

  it('is refused when it says that it needs a larger disk', async () => {
    expect((await refusal({}, { image: sampleImage({ minDiskGib: 21 }) })).code).toBe('FLAVOR_TOO_SMALL');
    expect(plan({}, { image: sampleImage({ minDiskGib: 20 }) })).toBeDefined();
  });

  it('is refused when it says that it needs more memory', async () => {
    const image = sampleImage({ minRamMib: 4096 });
    const error = await refusal({}, { image });
    expect(error.message).toBe(
      'cannot launch "fedora-17" as m1.small: the image needs 4096 MiB of memory, the flavor has 2048 MiB',
    );
    expect(plan({ memoryMib: 4096 }, { image })).toBeDefined();
  });

  // The example of a larger flavor is always m1.small.
  it('is not offered the flavor that was just too small', async () => {
    const error = await refusal({}, { image: sampleImage({ virtualSizeBytes: 30 * GIB }) });
    expect(error.hint).not.toContain('--flavor m1.small');
  });
});
