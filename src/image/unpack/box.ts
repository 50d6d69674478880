import * as v from 'valibot';
import { LaunchError } from '../../host/launch-error.js';
import { isDiskFormat, type DiskFormat } from '../../qemu-img/disk-format.js';
import { RestartNeeded } from '../fetch/download.js';
import type { ChunkReader } from './chunk-reader.js';
import { TarRefusal } from './stored-content.js';
import { readTar, type TarFile } from './tar-reader.js';

const maximumMetadataBytes = 64 * 1024;
/** A box has disks, its metadata.json and a Vagrantfile; so much may lie beside them. */
const maximumOtherBytes = 1024 ** 3;
/** A sparse file of an archive costs nothing to write; reading so many zeros takes minutes. */
const maximumDiskBytes = 8 * 1024 ** 4;
/** tar fills its last record with zeros: 10 KiB, unless it was told otherwise. */
const maximumTrailingBytes = 16 * 1024 ** 2;

const metadataSchema = v.object({
  provider: v.optional(v.string()),
  format: v.optional(v.string()),
  disks: v.optional(v.array(v.object({ path: v.string(), format: v.optional(v.string()) }))),
});

interface BoxDisk {
  readonly path: string;
  readonly format: string | undefined;
}

/**
 * What was read as the disk is not the one that metadata.json, which came later, means: the box has to be
 * read again, with `disk` known.
 */
export class OtherDiskMeant extends RestartNeeded {
  constructor(
    readonly disk: string,
    readonly refusal: LaunchError,
  ) {
    super(`its metadata.json, which comes late, names ${JSON.stringify(disk)} as the disk`);
  }
}

/** The well-known conventions of boxes: https://developer.hashicorp.com/vagrant/docs/boxes/base */
export const boxProperties: Readonly<Record<string, string>> = {
  os_admin_user: 'vagrant',
  // Vagrant's published key logs in; see docs/decisions/0012-vagrant-boxes.md.
  launch_login_key: 'vagrant',
};

/**
 * A Vagrant box for libvirt, read once, front to back: one disk's content, and what metadata.json says of it.
 * The Vagrantfile is not read, and nothing is written under a name of the archive's.
 */
export class Box {
  readonly #reader: ChunkReader;
  readonly #displayName: string;
  /** Which of the disks is asked for; by default the first. */
  readonly #wanted: string | undefined;
  #disks: readonly BoxDisk[] | undefined;
  #diskName: string | undefined;

  constructor(reader: ChunkReader, displayName: string, wanted?: string) {
    this.#reader = reader;
    this.#displayName = displayName;
    this.#wanted = wanted;
  }

  /** What metadata.json calls the disk's format; known when the disk has been read to its end. */
  get declaredFormat(): DiskFormat | undefined {
    const format = this.#disks?.find(({ path }) => path === this.#diskName)?.format;
    return format !== undefined && isDiskFormat(format) ? format : undefined;
  }

  /** The box's disks that were not read. */
  get otherDisks(): readonly string[] {
    return (this.#disks ?? []).map(({ path }) => path).filter((path) => path !== this.#diskName);
  }

  /** @throws LaunchError IMAGE_ARCHIVE_INVALID; OtherDiskMeant; what the stream throws */
  async *disk(): AsyncGenerator<Buffer, void, undefined> {
    try {
      let otherBytes = 0;
      for await (const file of readTar(this.#reader)) {
        if (file.name === 'metadata.json') await this.#readMetadata(file);
        else if (file.name === this.#diskName) throw this.#refusal(`it has "${file.name}" twice`);
        else if (this.#isDisk(file)) yield* this.#readDisk(file);
        else if (!this.#mayBeDisk(file.name)) otherBytes += file.lengthBytes;
        if (otherBytes > maximumOtherBytes) throw this.#refusal('it holds more than disks');
      }
      await this.#readToTheEnd();
    } catch (error) {
      throw error instanceof TarRefusal ? this.#refusal(error.message) : error;
    }
    if (this.#disks === undefined) {
      throw this.#refusal('it is an archive without metadata.json, so it is no Vagrant box');
    }
    if (this.#diskName === undefined) throw this.#refusal(`it has no "${this.#chosenDisk(this.#disks)}"`);
  }

  #chosenDisk(disks: readonly BoxDisk[]): string {
    return this.#wanted ?? disks[0]?.path ?? 'box.img';
  }

  #isDisk(file: TarFile): boolean {
    if (this.#diskName !== undefined) return false;
    if (this.#wanted !== undefined) return file.name === this.#wanted;
    if (this.#disks !== undefined) return file.name === this.#chosenDisk(this.#disks);
    // Before metadata.json says it, the name has to: mostly the first is right, and a box is read only once.
    return hasDiskEnding(file.name);
  }

  #mayBeDisk(name: string): boolean {
    return this.#disks === undefined ? hasDiskEnding(name) : this.#disks.some(({ path }) => path === name);
  }

  async *#readDisk(file: TarFile): AsyncGenerator<Buffer, void, undefined> {
    if (file.lengthBytes > maximumDiskBytes) throw this.#refusal(`its disk has ${file.lengthBytes} bytes`);
    this.#diskName = file.name;
    yield* file.content();
  }

  async #readMetadata(file: TarFile): Promise<void> {
    if (this.#disks !== undefined) throw this.#refusal('it has metadata.json twice');
    if (file.lengthBytes > maximumMetadataBytes) throw this.#refusal('its metadata.json is too long');
    const pieces: Buffer[] = [];
    for await (const piece of file.content()) pieces.push(piece);
    const disks = this.#parseMetadata(Buffer.concat(pieces).toString('utf8'));
    this.#disks = disks;
    if (this.#wanted !== undefined && !disks.some(({ path }) => path === this.#wanted)) {
      const names = disks.map(({ path }) => JSON.stringify(path)).join(', ');
      throw this.#refusal(`it has no disk ${JSON.stringify(this.#wanted)}, only ${names}`);
    }
    const chosen = this.#chosenDisk(disks);
    if (this.#diskName !== undefined && this.#diskName !== chosen) {
      throw new OtherDiskMeant(
        chosen,
        this.#refusal(`its metadata.json comes after "${this.#diskName}" and names another disk`),
      );
    }
  }

  #parseMetadata(text: string): readonly BoxDisk[] {
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      throw this.#refusal('its metadata.json is not JSON');
    }
    const result = v.safeParse(metadataSchema, parsed);
    if (!result.success) throw this.#refusal(`its metadata.json is damaged: ${result.issues[0].message}`);
    const { provider = 'libvirt', format, disks } = result.output;
    if (provider !== 'libvirt') {
      throw this.#refusal(`it is a box for ${JSON.stringify(provider)}, not for libvirt`);
    }
    if (disks === undefined) return [{ path: 'box.img', format }];
    if (disks.length === 0) throw this.#refusal('its metadata.json names no disk');
    const found = disks.map((disk) => ({
      path: disk.path.replace(/^(\.\/+)+/, ''),
      format: disk.format ?? format,
    }));
    if (new Set(found.map(({ path }) => path)).size < found.length) {
      throw this.#refusal('its metadata.json names a disk twice');
    }
    return found;
  }

  async #readToTheEnd(): Promise<void> {
    let trailingBytes = 0;
    for await (const piece of this.#reader.remaining()) {
      trailingBytes += piece.length;
      if (trailingBytes > maximumTrailingBytes) throw this.#refusal('it goes on after its end');
    }
  }

  #refusal(reason: string): LaunchError {
    return new LaunchError('IMAGE_ARCHIVE_INVALID', `refused "${this.#displayName}": ${reason}`, {
      hint: 'of archives, only Vagrant boxes for libvirt are read:  metadata.json and box.img in a tar',
    });
  }
}

function hasDiskEnding(name: string): boolean {
  return /\.(img|qcow2|raw)$/.test(name);
}
