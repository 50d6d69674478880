import { describe, expect, it } from 'vitest';

import { renderDomainInspection, renderImageInspection } from '../../../src/cli/render-inspection.js';
import type { ChainReport, DiskReport, DomainInspection } from '../../../src/instance/inspect-domain.js';
import type { ImageInspection } from '../../../src/instance/images/image-verbs.js';
import { sampleImage } from '../image/sample-image.js';
import { sampleInstance } from '../instance/sample-host.js';

const now = new Date('2026-01-02T05:04:05.000Z');
const directory = '/var/lib/launch/instances';
const basePath = `${directory}/_base/06a057b9c7b0b27e3b496f53d1e88810a0d1d5d3_20`;

const overlay: ChainReport = {
  path: `${directory}/instance-0000000c/disk`,
  format: 'qcow2',
  detectedFormat: 'qcow2',
  virtualSizeBytes: 21474836480,
  allocatedBytes: 7479296,
  clusterSizeBytes: 65536,
  extendedL2: false,
  encrypted: false,
  backingPath: basePath,
  backingFormat: 'raw',
  sharedWith: [],
};

const base: ChainReport = {
  path: basePath,
  format: 'raw',
  detectedFormat: 'raw',
  virtualSizeBytes: 21474836480,
  allocatedBytes: 740 * 1024 ** 2,
  clusterSizeBytes: undefined,
  extendedL2: false,
  encrypted: false,
  backingPath: undefined,
  backingFormat: undefined,
  sharedWith: ['instance-0000000d'],
  base: {
    imageId: '1e6292f9-82bd-4cdb-969e-c863cb1c6692',
    digest: 'sha256-1m:00',
    verifiedAt: '2026-01-02T03:04:05.000Z',
  },
};

const disk: DiskReport = {
  target: 'vda',
  source: overlay.path,
  driverType: 'qcow2',
  driverTypeMatches: true,
  chain: [overlay, base],
  overlap: { writtenOverBytes: 31, baseDataBytes: 1000 },
};

const launched: DomainInspection = {
  domain: { name: 'instance-0000000c', uuid: 'fd0cb2f1-8375-44c9-b1f4-3e1f4c4a8ef0', state: 'running' },
  virtType: 'kvm',
  machineType: 'pc-i440fx-7.2',
  memoryMib: 2048,
  vcpus: 1,
  instance: sampleInstance(12, { displayName: 'web' }),
  disks: [disk],
};

function render(changes: Partial<DomainInspection>): string {
  return renderDomainInspection({ ...launched, ...changes }, now);
}

/** The lines about the first disk, below domblklist's table. */
function diskLines(changes: Partial<DiskReport>): readonly string[] {
  const text = render({ disks: [{ ...disk, ...changes }] });
  return text
    .slice(text.indexOf('\n\nvda   ') + 2)
    .split('\n')
    .slice(0, -2);
}

describe('an inspected domain', () => {
  it('is shown as domblklist would, then link by link', () => {
    expect(render({})).toBe(
      [
        'instance-0000000c  web  running  kvm  m1.small',
        '',
        'Target     Source',
        '------------------------------------------------',
        'vda        /var/lib/launch/instances/instance-0000000c/disk',
        '',
        'vda   20 GiB virtual, driver type qcow2 (matches the file)',
        '├─ overlay  qcow2  7.2 MiB on disk, clusters of 64 KiB, its own',
        "│           3.1 % of the base's data written over",
        '│           /var/lib/launch/instances/instance-0000000c/disk',
        '└─ base     raw    740 MiB on disk of 20 GiB, shared with instance-0000000d',
        `            ${basePath}`,
        '            from image 1e6292f9-82bd-4cdb-969e-c863cb1c6692, digest verified 2 h ago',
        '',
        '',
      ].join('\n'),
    );
  });

  it('may be one that launch did not make, with drives that are empty', () => {
    const cdrom: DiskReport = {
      target: 'hdc',
      source: undefined,
      driverType: 'raw',
      driverTypeMatches: undefined,
      chain: [],
      overlap: undefined,
    };
    const domain = { ...launched.domain, name: 'pet', state: 'shut off' } as const;
    expect(render({ domain, instance: undefined, virtType: undefined, disks: [cdrom] })).toBe(
      [
        'pet  not made by launch  shut off',
        '',
        'Target     Source',
        '------------------------------------------------',
        'hdc        -',
        '',
        '',
      ].join('\n'),
    );
  });

  it('says loudly when the driver type is not what the file is', () => {
    const wrong = { driverType: 'raw', driverTypeMatches: false, chain: [{ ...overlay, format: 'raw' }] };
    expect(diskLines({ ...wrong, overlap: undefined })).toEqual([
      'vda   20 GiB virtual, driver type raw, BUT THE FILE IS qcow2',
      '└─ file     raw    7.2 MiB on disk of 20 GiB, clusters of 64 KiB, its own',
      '            /var/lib/launch/instances/instance-0000000c/disk',
    ]);
  });

  it('says when nobody wrote a driver type', () => {
    const [head] = diskLines({ driverType: undefined, driverTypeMatches: undefined });
    expect(head).toBe('vda   20 GiB virtual, driver type raw (none written)');
  });

  it('shows a link that cannot be read, with the reason', () => {
    const broken: ChainReport = {
      path: '/gone/base',
      format: 'raw',
      detectedFormat: undefined,
      problem: 'cannot read "/gone/base": no such file or directory',
      sharedWith: [],
    };
    expect(diskLines({ chain: [overlay, broken], overlap: undefined }).slice(-2)).toEqual([
      '└─ base     raw    cannot be read: cannot read "/gone/base": no such file or directory',
      '            /gone/base',
    ]);
  });

  it('calls the middle of a longer chain overlays too', () => {
    const lines = diskLines({ chain: [overlay, { ...overlay, path: '/middle' }, base] });
    expect(lines.filter((line) => /^[├└]/.test(line)).map((line) => line.slice(0, 18))).toEqual([
      '├─ overlay  qcow2 ',
      '├─ overlay  qcow2 ',
      '└─ base     raw   ',
    ]);
  });

  it('names some of many who share a file, and counts the rest', () => {
    const sharedWith = ['a', 'b', 'c', 'd', 'e', 'f'];
    const lines = diskLines({ chain: [overlay, { ...base, sharedWith }] });
    expect(lines.some((line) => line.endsWith('shared with a, b, c, d and 2 more'))).toBe(true);
  });

  it('says nothing of an overlap with an empty base', () => {
    const lines = diskLines({ overlap: { writtenOverBytes: 0, baseDataBytes: 0 } });
    expect(lines.join('\n')).not.toContain('written over');
  });

  it('invariant 7: prints no control character of a name, a path or a reason', () => {
    const hostile = '\x1b[2J\u202e\n\x9b';
    const text = render({
      instance: sampleInstance(12, { displayName: hostile }),
      disks: [
        {
          ...disk,
          source: hostile,
          chain: [
            { ...overlay, path: hostile, sharedWith: [hostile] },
            { ...base, path: hostile, problem: hostile },
          ],
        },
      ],
    });
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(text.split('\n')).toHaveLength(render({}).split('\n').length - 1);
  });

  // XML allows C1 controls and bidi overrides, and a backing format is text from a file's header.
  it.each([
    ['domain’s name', { domain: { ...launched.domain, name: 'a\x9b2J' } }],
    ['disk’s target', { disks: [{ ...disk, target: 'vda\x9b2J' }] }],
    ['driver type', { disks: [{ ...disk, driverType: 'raw\x9b2J' }] }],
    ['backing format', { disks: [{ ...disk, chain: [overlay, { ...base, format: '\x1b[2J' }] }] }],
  ])('invariant 7: prints no control character of a %s', (_what, changes) => {
    expect(render(changes).replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
});

describe('an inspected image', () => {
  const inspection: ImageInspection = {
    image: sampleImage(),
    path: '/var/lib/launch/images/1e6292f9-82bd-4cdb-969e-c863cb1c6692/image.qcow2',
    allocatedBytes: 251985920,
    bases: [],
  };
  const head = [
    'fedora-17  1e6292f9-82bd-4cdb-969e-c863cb1c6692',
    '',
    'file  qcow2, 2 GiB virtual, 241 MiB as imported',
    '      /var/lib/launch/images/1e6292f9-82bd-4cdb-969e-c863cb1c6692/image.qcow2',
    `      sha256 ${sampleImage().sha256}`,
    '',
  ];

  it('has no base before the first launch', () => {
    expect(renderImageInspection(inspection, now)).toBe(
      [...head, 'no base yet: the first launch makes it', ''].join('\n'),
    );
  });

  it('shows each base, and who is on it', () => {
    const made = {
      name: '06a057b9c7b0b27e3b496f53d1e88810a0d1d5d3_20',
      imageId: inspection.image.id,
      imageSha256: inspection.image.sha256,
      virtualSizeBytes: 21474836480,
      digest: 'sha256-1m:00',
      made: 'converted',
      createdAt: '2026-01-02T03:04:05.000Z',
      verifiedAt: '2026-01-02T05:04:00.000Z',
      seen: { modifiedNs: '1', sizeBytes: 1, inode: '1' },
      path: basePath,
      allocatedBytes: 740 * 1024 ** 2,
      usedBy: ['instance-00000001', 'pet\x1b'],
    } as const;
    const clone = { ...made, made: 'reflinked', path: '/b_40', usedBy: [] } as const;
    expect(renderImageInspection({ ...inspection, bases: [made, clone] }, now)).toBe(
      [
        ...head,
        'base  raw, 740 MiB on disk of 20 GiB, converted, digest verified just now',
        `      ${basePath}`,
        '      used by instance-00000001, pet\\x1b',
        '',
        'base  raw, 740 MiB on disk of 20 GiB, reflinked, digest verified just now',
        '      /b_40',
        '      nothing is on it',
        '',
      ].join('\n'),
    );
  });
});
