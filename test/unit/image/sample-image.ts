import type { ImageRecord } from '../../../src/image/image-record.js';

/** A record as an import would write it. */
export function sampleImage(changes: Partial<ImageRecord> = {}): ImageRecord {
  return {
    id: '1e6292f9-82bd-4cdb-969e-c863cb1c6692',
    name: 'fedora-17',
    format: 'qcow2',
    sizeBytes: 251985920,
    virtualSizeBytes: 2147483648,
    sha256: '5c2e01'.padEnd(64, '0'),
    minDiskGib: 0,
    minRamMib: 0,
    properties: {},
    source: '/tmp/f17.qcow2',
    createdAt: '2026-01-02T03:04:05.000Z',
    ...changes,
  };
}
