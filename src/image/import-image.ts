import { randomUUID } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandRunner } from '../host/command.js';
import {
  ensureDirectory,
  fileExists,
  makeDirectory,
  moveIntoPlace,
  removeTree,
  writeFileAtomic,
} from '../host/files.js';
import { LaunchError } from '../host/launch-error.js';
import type { Maker } from '../host/maker.js';
import { checkName, checkUuid } from '../host/names.js';
import type { HomePaths } from '../host/paths.js';
import { renderRecord } from '../host/record.js';
import { errnoOf, fileSystemError } from '../host/system-error.js';
import { checkInterrupted, runStep, type Work } from '../host/work.js';
import type { DiskFormat } from '../qemu-img/disk-format.js';
import type { QemuImg } from '../qemu-img/qemu-img.js';
import type { Fetching } from './fetch/download.js';
import type { ImageRecord } from './image-record.js';
import { openSource, type ImageSource, type OpenSource } from './image-source.js';
import { inspectStranger } from './inspect-stranger.js';
import { checkDigests, describeExpected, describeTaken, provenance } from './provenance.js';
import { takeIn } from './take-in.js';
import type { TakenFile } from './taken-file.js';
import { boxProperties } from './unpack/box.js';
import type { PassingSignature } from './trust/signature.js';
import {
  expectedDigests,
  expectedSignature,
  type ExpectedDigest,
  type Verification,
} from './trust/verification.js';

export interface ImportRequest {
  readonly source: ImageSource;
  readonly name: string;
  /** Refused when the header says otherwise. */
  readonly format?: DiskFormat | undefined;
  readonly id?: string | undefined;
  /** The name in its metadata.json of a Vagrant box's disk; by default its first. */
  readonly boxDisk?: string | undefined;
  readonly properties?: Readonly<Record<string, string>> | undefined;
  readonly minDiskGib?: number | undefined;
  readonly minRamMib?: number | undefined;
  /** What the file, as it comes, is checked by. */
  readonly verification?: Verification | undefined;
  /** Digests that are known already: the catalogue's. */
  readonly expected?: readonly ExpectedDigest[] | undefined;
  readonly catalogue?: ImageRecord['catalogue'];
  readonly createdAt: Date;
}

/** What an import works with. */
export interface ImportTools {
  readonly qemuImg: QemuImg;
  readonly runner: CommandRunner;
  readonly fetching: Fetching;
}

/**
 * Takes an image into the store: read once (download, unpack, digest, sparse copy), compared with what was
 * published, our own header check, qemu-img's word under limits, then a rename. Until then it has a temporary
 * name; whatever fails leaves nothing.
 *
 * @throws LaunchError IMAGE_* for what is refused, DOWNLOAD_FAILED, DISK_FULL, NAME_INVALID, PERMISSION_DENIED
 */
export async function importImage(
  home: HomePaths,
  tools: ImportTools,
  request: ImportRequest,
  maker: Maker,
  work: Work = {},
): Promise<ImageRecord> {
  const name = checkName('image', request.name);
  const id = request.id === undefined ? randomUUID() : checkUuid(request.id);
  const paths = home.image(id);
  if (fileExists(paths.directory)) throw imageExists(id);
  const source = await openSource(request.source, tools.fetching);
  await ensureDirectory(home.images);
  const building = maker.temporaryPath(paths.directory);
  await makeDirectory(building, 0o755);
  try {
    const scratch = join(building, 'signature');
    const { expected, signature } = await readExpected(request, source, tools, scratch, work);
    const incoming = join(building, 'incoming');
    const { boxDisk } = request;
    const taken = await readSource(source, incoming, home, { expected, signature, boxDisk }, work);
    await removeTree(scratch);
    if (source.isRemote && expected.length === 0 && signature === undefined) {
      const message = `nothing vouches for "${source.displayName}": no digest, checksums or signature were given`;
      work.onEvent?.({ type: 'notice', message });
    }
    const report = await runStep(
      work,
      'inspected',
      'checking the header',
      () =>
        inspectStranger(
          incoming,
          source.displayName,
          request.format ?? taken.declaredFormat,
          tools.qemuImg,
          work,
        ),
      (result) => result.description,
    );
    const record: ImageRecord = {
      id,
      name,
      format: report.format,
      sizeBytes: taken.stored.lengthBytes,
      virtualSizeBytes: report.virtualSizeBytes,
      sha256: taken.stored.sha256,
      minDiskGib: request.minDiskGib ?? 0,
      minRamMib: request.minRamMib ?? 0,
      properties: { ...(taken.isBox ? boxProperties : {}), ...request.properties },
      source: source.origin,
      ...provenance(taken, expected, source.isRemote),
      ...(request.catalogue === undefined ? {} : { catalogue: request.catalogue }),
      createdAt: request.createdAt.toISOString(),
    };
    await rename(incoming, join(building, `image.${report.format}`));
    await writeFileAtomic(join(building, 'image.json'), renderRecord(record), maker);
    checkInterrupted(work);
    await moveIntoPlace(building, paths.directory).catch((error: unknown) => {
      const errno = errnoOf(error);
      throw errno === 'ENOTEMPTY' || errno === 'EEXIST' ? imageExists(id) : error;
    });
    return record;
  } catch (error) {
    await removeTree(building);
    throw fileSystemError('import into', home.images, error);
  }
}

/** What the file as it comes must be like. */
interface Expected {
  readonly expected: readonly ExpectedDigest[];
  readonly signature: PassingSignature | undefined;
}

async function readExpected(
  request: ImportRequest,
  source: OpenSource,
  tools: ImportTools,
  scratchDirectory: string,
  work: Work,
): Promise<Expected> {
  const { verification, expected = [] } = request;
  if (verification === undefined) return { expected, signature: undefined };
  const allowHttp = 'url' in request.source ? request.source.allowHttp : undefined;
  const { runner, fetching } = tools;
  const how = { runner, fetching, allowHttp, scratchDirectory };
  const read = () => expectedDigests(verification, source.fileName, how, work);
  if (verification.checksums === undefined) {
    const given = await read();
    const signature = await expectedSignature(verification, source.displayName, how, work);
    return { expected: [...expected, ...given], signature };
  }
  const listed = await runStep(work, 'checksums', 'reading the checksums', read, describeExpected);
  return { expected: [...expected, ...listed], signature: undefined };
}

/** @throws LaunchError IMAGE_DIGEST_MISMATCH, IMAGE_SIGNATURE_INVALID */
async function readSource(
  source: OpenSource,
  target: string,
  home: HomePaths,
  { expected, signature, boxDisk }: Expected & { readonly boxDisk: string | undefined },
  work: Work,
): Promise<TakenFile> {
  return await runStep(
    work,
    source.isRemote ? 'fetched' : 'read',
    `reading ${source.displayName}`,
    async (progress) => {
      const taken = await takeIn(source, target, {
        directory: home.images,
        algorithms: expected.map(({ algorithm }) => algorithm),
        signature,
        boxDisk,
        work,
        progress,
      });
      checkDigests(source.displayName, taken, expected);
      return taken;
    },
    (taken) => describeTaken(taken, expected),
  );
}

function imageExists(id: string): LaunchError {
  return new LaunchError('IMAGE_EXISTS', `there is already an image with the id ${id}`, {
    hint: `leave --id out for a new one, or remove that one first:  launch image remove ${id}`,
  });
}
