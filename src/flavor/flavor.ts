import * as v from 'valibot';
import { LaunchError } from '../host/launch-error.js';
import { wholeNumber } from '../host/record.js';

const atLeastOne = v.pipe(wholeNumber, v.minValue(1));

export const flavorSchema = v.strictObject({
  name: v.string(),
  memoryMib: atLeastOne,
  vcpus: atLeastOne,
  /** Root disk in GiB; 0 means the image's own size. */
  diskGib: wholeNumber,
});

export type Flavor = Readonly<v.InferOutput<typeof flavorSchema>>;

/** Nova's own, by the names that everyone knows. */
export const presetFlavors: readonly Flavor[] = [
  { name: 'm1.tiny', memoryMib: 512, vcpus: 1, diskGib: 1 },
  { name: 'm1.small', memoryMib: 2048, vcpus: 1, diskGib: 20 },
  { name: 'm1.medium', memoryMib: 4096, vcpus: 2, diskGib: 40 },
  { name: 'm1.large', memoryMib: 8192, vcpus: 4, diskGib: 80 },
  { name: 'm1.xlarge', memoryMib: 16384, vcpus: 8, diskGib: 160 },
];

/** More than QEMU's and the file systems' limits would be a mistype. */
const maximumMemoryMib = 16 * 1024 * 1024;
const maximumVcpus = 1024;
const maximumDiskGib = 64 * 1024;

/** @throws LaunchError FLAVOR_INVALID */
export function checkFlavor(flavor: Flavor): Flavor {
  checkWhole('memory', flavor.memoryMib, 1, maximumMemoryMib, 'MiB');
  checkWhole('number of vCPUs', flavor.vcpus, 1, maximumVcpus, '');
  checkWhole('disk', flavor.diskGib, 0, maximumDiskGib, 'GiB');
  return flavor;
}

function checkWhole(what: string, value: number, minimum: number, maximum: number, unit: string): void {
  if (Number.isSafeInteger(value) && value >= minimum && value <= maximum) return;
  const limits = `${minimum} to ${maximum}${unit === '' ? '' : ` ${unit}`}`;
  throw new LaunchError('FLAVOR_INVALID', `the ${what} must be a whole number from ${limits}, not ${value}`);
}
