import * as v from 'valibot';
import { LaunchError } from '../../host/launch-error.js';
import { isDiskFormat, type DiskFormat } from '../../qemu-img/disk-format.js';
import type { ChunkReader } from './chunk-reader.js';
import { TarRefusal } from './stored-content.js';
import { readTar, type TarFile } from './tar-reader.js';

const maximumMetadataBytes = 64 * 1024;
/** A box has a disk, its metadata.json and a Vagrantfile; so much may lie beside them. */
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

interface BoxMetadata {
  readonly disk: string;
  readonly format: string | undefined;
}

/**
 * A Vagrant box for libvirt, read once, front to back: the disk's content, and what metadata.json says of it.
 * The Vagrantfile is not read, and nothing is written under a name of the archive's.
 */
export class Box {
  readonly #reader: ChunkReader;
  readonly #displayName: string;
  #metadata: BoxMetadata | undefined;
  #diskName: string | undefined;

  constructor(reader: ChunkReader, displayName: string) {
    this.#reader = reader;
    this.#displayName = displayName;
  }

  /** What metadata.json calls the disk's format; known when the disk has been read to its end. */
  get declaredFormat(): DiskFormat | undefined {
    const format = this.#metadata?.format;
    return format !== undefined && isDiskFormat(format) ? format : undefined;
  }

  /** @throws LaunchError IMAGE_ARCHIVE_INVALID; what the stream throws */
  async *disk(): AsyncGenerator<Buffer, void, undefined> {
    try {
      let otherBytes = 0;
      for await (const file of readTar(this.#reader)) {
        if (file.name === 'metadata.json') await this.#readMetadata(file);
        else if (this.#isDisk(file)) yield* this.#readDisk(file);
        else otherBytes += file.lengthBytes;
        if (otherBytes > maximumOtherBytes) throw this.#refusal('it holds more than a disk');
      }
      await this.#readToTheEnd();
    } catch (error) {
      throw error instanceof TarRefusal ? this.#refusal(error.message) : error;
    }
    if (this.#metadata === undefined) {
      throw this.#refusal('it is an archive without metadata.json, so it is no Vagrant box');
    }
    if (this.#diskName === undefined) throw this.#refusal(`it has no "${this.#metadata.disk}"`);
  }

  #isDisk(file: TarFile): boolean {
    if (this.#metadata !== undefined) return file.name === this.#metadata.disk;
    // Before metadata.json says it, the name has to: there is one disk, and we read only once.
    return /\.(img|qcow2|raw)$/.test(file.name);
  }

  async *#readDisk(file: TarFile): AsyncGenerator<Buffer, void, undefined> {
    if (this.#diskName !== undefined) throw this.#refusal('it has more than one disk');
    if (file.lengthBytes > maximumDiskBytes) throw this.#refusal(`its disk has ${file.lengthBytes} bytes`);
    this.#diskName = file.name;
    yield* file.content();
  }

  async #readMetadata(file: TarFile): Promise<void> {
    if (this.#metadata !== undefined) throw this.#refusal('it has metadata.json twice');
    if (file.lengthBytes > maximumMetadataBytes) throw this.#refusal('its metadata.json is too long');
    const pieces: Buffer[] = [];
    for await (const piece of file.content()) pieces.push(piece);
    this.#metadata = this.#parseMetadata(Buffer.concat(pieces).toString('utf8'));
    if (this.#diskName !== undefined && this.#diskName !== this.#metadata.disk) {
      throw this.#refusal(`its metadata.json comes after "${this.#diskName}" and names another disk`);
    }
  }

  #parseMetadata(text: string): BoxMetadata {
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
    if (disks === undefined) return { disk: 'box.img', format };
    const [disk, ...others] = disks;
    if (disk === undefined) throw this.#refusal('its metadata.json names no disk');
    if (others.length > 0) {
      throw this.#refusal(`it has ${disks.length} disks, and an image is one; unpack it and import each`);
    }
    return { disk: disk.path.replace(/^(\.\/+)+/, ''), format: disk.format ?? format };
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
