import {
  isoImage,
  patched,
  qcow2Image,
  rawImage,
  vdiImage,
  vhdxImage,
  vmdkImage,
  vpcFixedImage,
  vpcFooter,
  type Patch,
} from '../image-files.js';
import type { HostileFile } from './hostile-file.js';

const raw = (...patches: readonly Patch[]): (() => Buffer) => {
  return () => patched(rawImage(), ...patches);
};

export const filesOfTwoFormats: readonly HostileFile[] = [
  {
    name: 'an ISO with a qcow2 header (LP 2059809)',
    bytes: () => patched(isoImage(), { at: 0, bytes: [...qcow2Image()] }),
    code: 'IMAGE_FORMAT_AMBIGUOUS',
    says: 'qcow2 and iso',
  },
  {
    name: 'a qcow2 with a footer of VHD (CVE-2024-40767)',
    bytes: () => Buffer.concat([qcow2Image(), vpcFooter(2)]),
    code: 'IMAGE_FORMAT_AMBIGUOUS',
    says: 'qcow2 and vpc',
  },
  {
    name: 'a qcow2 with a footer of VHD of 511 bytes',
    bytes: () => Buffer.concat([qcow2Image(), vpcFooter(2).subarray(0, 511)]),
    code: 'IMAGE_FORMAT_AMBIGUOUS',
  },
  {
    name: 'a qcow2 with a VDI header in it',
    bytes: () => patched(qcow2Image(), { at: 0x40, bytes: [0x7f, 0x10, 0xda, 0xbe] }),
    code: 'IMAGE_FORMAT_AMBIGUOUS',
  },
  {
    name: 'a VMDK with a VDI header in it',
    bytes: () => patched(vmdkImage(), { at: 0x40, bytes: [0x7f, 0x10, 0xda, 0xbe] }),
    code: 'IMAGE_FORMAT_AMBIGUOUS',
  },
  {
    name: 'a VHDX with an ISO in it',
    bytes: () => patched(vhdxImage(), { at: 32769, text: 'CD001' }),
    code: 'IMAGE_FORMAT_AMBIGUOUS',
  },
  {
    name: 'a VHD whose first sector is a qcow2 header',
    bytes: () => patched(vpcFixedImage(), { at: 0, bytes: [...qcow2Image()] }),
    code: 'IMAGE_FORMAT_AMBIGUOUS',
  },
  {
    name: 'two formats, and declared as one of them',
    bytes: () => Buffer.concat([qcow2Image(), vpcFooter(2)]),
    declaredFormat: 'qcow2',
    code: 'IMAGE_FORMAT_AMBIGUOUS',
  },
  {
    name: 'a qcow2 with a trailer of DMG',
    bytes: () => Buffer.concat([qcow2Image(), patched(Buffer.alloc(512), { at: 0, text: 'koly' })]),
    code: 'IMAGE_FORMAT_AMBIGUOUS',
  },
];

export const filesOtherThanDeclared: readonly HostileFile[] = [
  {
    name: 'a qcow2 declared as raw (LP 837102)',
    bytes: () => qcow2Image(),
    declaredFormat: 'raw',
    code: 'IMAGE_FORMAT_MISMATCH',
    says: 'it was declared as raw, but it is qcow2',
  },
  {
    name: 'a raw disk declared as qcow2',
    bytes: raw(),
    declaredFormat: 'qcow2',
    code: 'IMAGE_FORMAT_MISMATCH',
  },
  {
    name: 'a VDI declared as VMDK',
    bytes: () => vdiImage(),
    declaredFormat: 'vmdk',
    code: 'IMAGE_FORMAT_MISMATCH',
  },
  {
    name: 'a VHD declared as VHDX',
    bytes: () => vpcFixedImage(),
    declaredFormat: 'vhdx',
    code: 'IMAGE_FORMAT_MISMATCH',
  },
  {
    name: 'a VHD declared as raw',
    bytes: () => vpcFixedImage(),
    declaredFormat: 'raw',
    code: 'IMAGE_FORMAT_MISMATCH',
  },
  {
    name: 'an ISO declared as qcow2',
    bytes: () => isoImage(),
    declaredFormat: 'qcow2',
    code: 'IMAGE_FORMAT_MISMATCH',
  },
];

export const filesOfBannedFormats: readonly HostileFile[] = [
  { name: 'QED', bytes: raw({ at: 0, text: 'QED\0' }), code: 'IMAGE_FORMAT_BANNED' },
  {
    name: 'QED declared as raw',
    bytes: raw({ at: 0, text: 'QED\0' }),
    declaredFormat: 'raw',
    code: 'IMAGE_FORMAT_BANNED',
  },
  { name: 'qcow', bytes: raw({ at: 0, text: 'QFI\xfb\0\0\0\x01' }), code: 'IMAGE_FORMAT_BANNED' },
  { name: 'Parallels', bytes: raw({ at: 0, text: 'WithoutFreeSpace' }), code: 'IMAGE_FORMAT_BANNED' },
  {
    name: 'Parallels, extended',
    bytes: raw({ at: 0, text: 'WithouFreSpacExt' }),
    code: 'IMAGE_FORMAT_BANNED',
  },
  { name: 'Bochs', bytes: raw({ at: 0, text: 'Bochs Virtual HD Image' }), code: 'IMAGE_FORMAT_BANNED' },
  {
    name: 'cloop',
    bytes: raw({ at: 0, text: '#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0' }),
    code: 'IMAGE_FORMAT_BANNED',
  },
  { name: 'DMG', bytes: raw({ at: 65024, text: 'koly' }), code: 'IMAGE_FORMAT_BANNED' },
  { name: 'LUKS', bytes: raw({ at: 0, text: 'LUKS\xba\xbe\0\x02' }), code: 'IMAGE_ENCRYPTED' },
];

export const filesThatAreNoDisks: readonly HostileFile[] = [
  { name: 'an empty file', bytes: () => Buffer.alloc(0), code: 'IMAGE_EMPTY' },
  {
    name: 'an empty file declared as raw',
    bytes: () => Buffer.alloc(0),
    declaredFormat: 'raw',
    code: 'IMAGE_EMPTY',
  },
  { name: 'gzip', bytes: raw({ at: 0, bytes: [0x1f, 0x8b, 8] }), code: 'IMAGE_FORMAT_UNKNOWN', says: 'gzip' },
  {
    name: 'xz',
    bytes: raw({ at: 0, bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0] }),
    code: 'IMAGE_FORMAT_UNKNOWN',
  },
  { name: 'bzip2', bytes: raw({ at: 0, text: 'BZh9' }), code: 'IMAGE_FORMAT_UNKNOWN' },
  { name: 'zstd', bytes: raw({ at: 0, bytes: [0x28, 0xb5, 0x2f, 0xfd] }), code: 'IMAGE_FORMAT_UNKNOWN' },
  {
    name: 'zstd behind a frame to be skipped (pzstd)',
    bytes: raw({ at: 0, bytes: [0x5f, 0x2a, 0x4d, 0x18] }),
    code: 'IMAGE_FORMAT_UNKNOWN',
  },
  { name: 'lz4', bytes: raw({ at: 0, bytes: [0x04, 0x22, 0x4d, 0x18] }), code: 'IMAGE_FORMAT_UNKNOWN' },
  { name: 'zip', bytes: raw({ at: 0, text: 'PK\x03\x04' }), code: 'IMAGE_FORMAT_UNKNOWN' },
  {
    name: '7z',
    bytes: raw({ at: 0, bytes: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c] }),
    code: 'IMAGE_FORMAT_UNKNOWN',
  },
  { name: 'rar', bytes: raw({ at: 0, text: 'Rar!\x1a\x07' }), code: 'IMAGE_FORMAT_UNKNOWN' },
  { name: 'tar (an OVA)', bytes: raw({ at: 257, text: 'ustar' }), code: 'IMAGE_FORMAT_UNKNOWN' },
  { name: 'PDF', bytes: raw({ at: 0, text: '%PDF-1.7' }), code: 'IMAGE_FORMAT_UNKNOWN' },
  {
    name: 'a 404 page',
    bytes: () => Buffer.from('\n<!DOCTYPE html><title>404</title>'),
    code: 'IMAGE_FORMAT_UNKNOWN',
  },
  {
    name: 'a 404 page declared as qcow2',
    bytes: () => Buffer.from('<HTML>'),
    declaredFormat: 'qcow2',
    code: 'IMAGE_FORMAT_UNKNOWN',
  },
  {
    name: 'an answer of S3',
    bytes: () => Buffer.from('<?xml version="1.0"?><Error/>'),
    code: 'IMAGE_FORMAT_UNKNOWN',
  },
  {
    name: 'an answer in JSON',
    bytes: () => Buffer.from('{ "error": "not found" }'),
    code: 'IMAGE_FORMAT_UNKNOWN',
  },
  {
    name: 'a pointer of Git LFS',
    bytes: () => Buffer.from('version https://git-lfs.github.com/spec/v1\n'),
    code: 'IMAGE_FORMAT_UNKNOWN',
  },
];
