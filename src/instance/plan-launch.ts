import type { DomainInterface, VirtType } from '../domain/domain-spec.js';
import type { BaseFormat } from '../disk/base-format.js';
import { baseName } from '../disk/base-record.js';
import { checkFlavor, presetFlavors, type Flavor } from '../flavor/flavor.js';
import { LaunchError } from '../host/launch-error.js';
import { checkName } from '../host/names.js';
import { bytesPerGib, formatBytes } from '../host/units.js';
import type { ImageRecord } from '../image/image-record.js';
import type { Preallocation } from '../qemu-img/qemu-img.js';
import { planSeed, type PlannedSeed, type SeedFacts, type SeedRequest } from './seed/plan-seed.js';
import { planInterfaces, type NetworkRequest, type PublishedPort } from './networks/plan-interfaces.js';

/** How long a launch waits before it calls the instance launched. */
export type WaitFor =
  | { readonly kind: 'none' | 'running' | 'address' | 'ssh' | 'cloud-init' }
  | { readonly kind: 'console'; readonly pattern: RegExp };

export interface LaunchRequest {
  /** Id, name, or start of the id. */
  readonly image: string;
  /** Name of a flavor; `m1.small` by default. */
  readonly flavor?: string | undefined;
  readonly memoryMib?: number | undefined;
  readonly vcpus?: number | undefined;
  /** Root disk in GiB; 0 means the image's own size. */
  readonly diskGib?: number | undefined;
  readonly name?: string | undefined;
  /** One interface each, in this order; by default `default` of libvirt's, for qemu:///session user networking. */
  readonly networks?: readonly NetworkRequest[] | undefined;
  /** Ports of this host that lead to the guest; for an interface of kind `user` only. */
  readonly publish?: readonly PublishedPort[] | undefined;
  readonly template?: string | undefined;
  readonly virtType?: VirtType | 'auto' | undefined;
  /** false: the instance gets a raw copy instead of an overlay. */
  readonly cow?: boolean | undefined;
  readonly preallocation?: Preallocation | undefined;
  /** What the base is kept as; by default what suits the file system, nearly always raw. */
  readonly baseFormat?: BaseFormat | undefined;
  /** What the guest is told of itself; by default a NoCloud seed with the user's keys. */
  readonly seed?: SeedRequest | undefined;
  readonly wait?: WaitFor | undefined;
  /** How long to wait, in milliseconds; five minutes by default. */
  readonly timeoutMs?: number | undefined;
  /** A wait that fails undoes the launch; by default the guest is left as it is. */
  readonly rollback?: boolean | undefined;
}

/** What a launch will do; made from facts without touching anything. Sizes in bytes. */
export interface LaunchPlan {
  readonly domainName: string;
  readonly displayName: string;
  readonly uuid: string;
  readonly image: ImageRecord;
  readonly flavor: Flavor;
  readonly virtType: VirtType;
  readonly template: string;
  readonly interfaces: readonly DomainInterface[];
  readonly seed: PlannedSeed | undefined;
  readonly login: { readonly user: string | null; readonly identityFile: string | null };
  readonly baseName: string;
  readonly baseFormat: BaseFormat;
  readonly disk: {
    readonly kind: 'overlay' | 'copy';
    readonly virtualSizeBytes: number;
    readonly preallocation: Preallocation | undefined;
  };
}

export interface LaunchFacts {
  readonly image: ImageRecord;
  readonly flavor: Flavor;
  readonly virtType: VirtType;
  readonly domainName: string;
  readonly uuid: string;
  readonly seed: SeedFacts | undefined;
  /** The key that guests of a Vagrant box are known to let in. */
  readonly boxKeyFile?: string | undefined;
  /** One for each interface that is not asked for with one of its own. */
  readonly macAddresses: readonly string[];
  /** What an instance gets when no network is asked for. */
  readonly defaultNetwork: NetworkRequest;
}

/** @throws LaunchError FLAVOR_TOO_SMALL, FLAVOR_INVALID, NAME_INVALID, ARGUMENT_INVALID */
export function planLaunch(request: LaunchRequest, facts: LaunchFacts): LaunchPlan {
  const { image } = facts;
  const flavor = checkFlavor({
    name: facts.flavor.name,
    memoryMib: request.memoryMib ?? facts.flavor.memoryMib,
    vcpus: request.vcpus ?? facts.flavor.vcpus,
    diskGib: request.diskGib ?? facts.flavor.diskGib,
  });
  checkImageFits(image, flavor);
  const kind = request.cow === false ? 'copy' : 'overlay';
  if (kind === 'copy' && request.preallocation !== undefined && request.preallocation !== 'falloc') {
    throw new LaunchError(
      'ARGUMENT_INVALID',
      `a raw copy cannot be preallocated as "${request.preallocation}"`,
      {
        hint: 'with --no-cow use:  --preallocate falloc',
      },
    );
  }
  const displayName = checkName('instance', request.name ?? facts.domainName);
  return {
    domainName: facts.domainName,
    displayName,
    uuid: facts.uuid,
    image,
    flavor,
    virtType: facts.virtType,
    template: request.template ?? 'linux',
    interfaces: planInterfaces(request, facts),
    seed: planSeed(facts.seed, displayName, facts.domainName),
    login: {
      user: facts.seed?.user ?? null,
      identityFile: facts.boxKeyFile ?? facts.seed?.identityFile ?? null,
    },
    baseName: baseName(image.id, flavor.diskGib, request.baseFormat),
    baseFormat: request.baseFormat ?? 'raw',
    disk: {
      kind,
      virtualSizeBytes: flavor.diskGib === 0 ? image.virtualSizeBytes : flavor.diskGib * bytesPerGib,
      preallocation: request.preallocation,
    },
  };
}

export function checkImageFits(image: ImageRecord, flavor: Flavor): void {
  const cannot = `cannot launch ${JSON.stringify(image.name)} as ${flavor.name}`;
  const neededBytes = Math.max(image.virtualSizeBytes, image.minDiskGib * bytesPerGib);
  const flavorBytes = flavor.diskGib * bytesPerGib;
  const hint = hintOfLarger(image, neededBytes);
  if (flavor.diskGib !== 0 && flavorBytes < neededBytes) {
    throw new LaunchError(
      'FLAVOR_TOO_SMALL',
      `${cannot}: the image needs ${formatBytes(neededBytes)} of disk, the flavor has ${formatBytes(flavorBytes)}`,
      { hint, details: { neededBytes, flavorBytes } },
    );
  }
  if (flavor.memoryMib < image.minRamMib) {
    throw new LaunchError(
      'FLAVOR_TOO_SMALL',
      `${cannot}: the image needs ${image.minRamMib} MiB of memory, the flavor has ${flavor.memoryMib} MiB`,
      { hint, details: { neededMib: image.minRamMib, flavorMib: flavor.memoryMib } },
    );
  }
}

/** The smallest preset that is large enough, or sizes by hand where none is. */
function hintOfLarger(image: ImageRecord, neededBytes: number): string {
  const larger = presetFlavors.find(
    (preset) => preset.diskGib * bytesPerGib >= neededBytes && preset.memoryMib >= image.minRamMib,
  );
  const options =
    larger === undefined
      ? `--disk ${Math.ceil(neededBytes / bytesPerGib)} --memory ${Math.max(image.minRamMib, 512)}`
      : `--flavor ${larger.name}`;
  return `try a larger flavor:  launch ${image.name} ${options}        (flavors: launch flavor list)`;
}
