import {
  fixVhdxChecksums,
  isoImage,
  qcow2Image,
  rawImage,
  vdiImage,
  vhdxImage,
  vhdxLayout,
  vmdkDescriptor,
  vmdkImage,
  vpcDynamicImage,
  vpcFixedImage,
  withVpcChecksum,
} from '../image-files.js';
import { createRandom } from '../random.js';

/** The same mutants in every run. @returns numbers from 0 to below `limit` */
export function numbersBelow(seed: number): (limit: number) => number {
  const random = createRandom(seed);
  return (limit) => Math.floor(random() * limit);
}

export interface MutantSubject {
  readonly name: string;
  readonly original: Buffer;
  /** Where mutations matter: beginnings and lengths, in bytes. */
  readonly hot: readonly (readonly [offset: number, length: number])[];
  /** Makes checksums right again, so that mutants get past them. In place, or as a copy. */
  readonly repair?: (bytes: Buffer) => Buffer;
}

function repairVpcFixed(bytes: Buffer): Buffer {
  if (bytes.length !== 65536 + 512) return bytes;
  return Buffer.concat([bytes.subarray(0, 65536), withVpcChecksum(bytes.subarray(65536), 64)]);
}

function repairVpcDynamic(bytes: Buffer): Buffer {
  if (bytes.length !== 2560) return bytes;
  const footer = withVpcChecksum(bytes.subarray(0, 512), 64);
  const header = withVpcChecksum(bytes.subarray(512, 1536), 36);
  return Buffer.concat([footer, header, bytes.subarray(1536, 2048), footer]);
}

const { header1, header2, regionTable, bat, metadata } = vhdxLayout;

export const mutantSubjects: readonly MutantSubject[] = [
  { name: 'raw', original: rawImage(), hot: [[0, 1024]] },
  {
    name: 'ISO',
    original: isoImage(),
    hot: [
      [0, 64],
      [32768, 16],
    ],
  },
  {
    name: 'qcow2',
    original: qcow2Image(),
    hot: [
      [0, 160],
      [12288, 16],
      [16384, 64],
    ],
  },
  {
    name: 'qcow2 version 2',
    original: qcow2Image(2),
    hot: [
      [0, 96],
      [12288, 16],
    ],
  },
  {
    name: 'VMDK',
    original: vmdkImage(),
    hot: [
      [0, 80],
      [512, 400],
      [10752, 16],
    ],
  },
  {
    name: 'VMDK with a footer',
    original: vmdkImage(vmdkDescriptor('streamOptimized'), { footer: true }),
    hot: [
      [0, 80],
      [65536, 1536],
    ],
  },
  {
    name: 'VDI',
    original: vdiImage(),
    hot: [
      [0x40, 20],
      [0x154, 0x80],
    ],
  },
  { name: 'VHD, fixed', original: vpcFixedImage(), hot: [[65536, 90]], repair: repairVpcFixed },
  {
    name: 'VHD, dynamic',
    original: vpcDynamicImage(),
    hot: [
      [0, 90],
      [512, 80],
      [1536, 8],
    ],
    repair: repairVpcDynamic,
  },
  {
    name: 'VHDX',
    original: vhdxImage(),
    hot: [
      [header1, 80],
      [header2, 80],
      [regionTable, 80],
      [bat, 16],
      [metadata, 200],
      [metadata + 65536, 80],
    ],
    repair: fixVhdxChecksums,
  },
];

const interestingNumbers = [
  0n,
  1n,
  2n,
  4n,
  7n,
  8n,
  511n,
  512n,
  65535n,
  0x7fff_ffffn,
  0xffff_ffffn,
  1n << 32n,
  1n << 53n,
  1n << 63n,
  (1n << 64n) - 1n,
];
const signatures = [
  'QFI\xfb',
  'KDMV',
  'conectix',
  'vhdxfile',
  'QED\0',
  '# Disk DescriptorFile\n',
  'parentFileNameHint="x"',
  '\0',
];

/** Changes one to four places of a file, or its length; then, mostly, makes its checksums right. */
export function mutate(subject: MutantSubject, below: (limit: number) => number): Buffer {
  let bytes = Buffer.from(subject.original);
  for (let count = 1 + below(4); count > 0; count -= 1) {
    const [start, length] = subject.hot[below(subject.hot.length)] ?? [0, 1];
    const at = Math.min(start + below(length), bytes.length - 8);
    if (at < 0) break;
    const number = interestingNumbers[below(interestingNumbers.length)] ?? 0n;
    switch (below(8)) {
      case 0:
        bytes.writeUInt8(below(256), at);
        break;
      case 1:
        bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << below(8)), at);
        break;
      case 2:
        bytes.writeUInt32LE(Number(number & 0xffff_ffffn), at - (at % 4));
        break;
      case 3:
        bytes.writeUInt32BE(Number(number & 0xffff_ffffn), at - (at % 4));
        break;
      case 4:
        bytes.writeBigUInt64LE(number, at - (at % 4));
        break;
      case 5:
        bytes.writeBigUInt64BE(number, at - (at % 4));
        break;
      case 6:
        bytes.write(signatures[below(signatures.length)] ?? '', below(2) * at, 'latin1');
        break;
      default:
        if (below(4) === 0) bytes = bytes.subarray(0, below(2) === 0 ? below(bytes.length) : at);
    }
  }
  return subject.repair && below(4) > 0 ? subject.repair(bytes) : bytes;
}
