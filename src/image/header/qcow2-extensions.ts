import type { ImageFile } from './image-file.js';
import { quote } from './quote.js';

/** A header extension: its type, and where its content is (bytes from the file's beginning). */
interface HeaderExtension {
  readonly type: number;
  readonly offset: number;
  readonly lengthBytes: number;
}

/** Types of header extensions (qcow2.rst, "Header extensions"). */
const endType = 0x00000000;
const externalDataType = 0x44415441;
const encryptionType = 0x0537be77;

/** Far more than there are types; each costs one read of 8 bytes. */
const mostExtensions = 128;

/** The specification's limit for file names, in bytes. */
const longestName = 1023;

/**
 * Walks the header extensions. Refused are those that bring in another file or encryption, even where no
 * feature bit asks for them. A backing format without a backing file (left by `qemu-img rebase -b ""`),
 * feature names, bitmaps and unknown extensions change no content and are let pass, as the specification
 * allows: what a reader must know has an incompatible feature bit.
 *
 * @param headerLength Where the extensions begin, in bytes.
 * @throws LaunchError IMAGE_CORRUPT, IMAGE_ENCRYPTED, IMAGE_EXTERNAL_DATA
 */
export async function checkExtensions(
  file: ImageFile,
  headerLength: number,
  clusterBytes: number,
): Promise<void> {
  for (const extension of await listExtensions(file, headerLength, clusterBytes)) {
    if (extension.type === externalDataType) throw await externalDataRefusal(file, extension);
    if (extension.type === encryptionType) {
      throw file.refusal(
        'IMAGE_ENCRYPTED',
        'it carries a header of encryption, though it is not marked as encrypted',
      );
    }
  }
}

/** The refusal of an image that says, by a feature bit, that its data is in another file. */
export async function externalDataBitRefusal(
  file: ImageFile,
  headerLength: number,
  clusterBytes: number,
): Promise<Error> {
  const extensions = await listExtensions(file, headerLength, clusterBytes);
  return externalDataRefusal(
    file,
    extensions.find(({ type }) => type === externalDataType),
  );
}

async function externalDataRefusal(file: ImageFile, extension: HeaderExtension | undefined): Promise<Error> {
  const name =
    extension &&
    (await file.available(extension.offset, Math.min(extension.lengthBytes, longestName))).toString('utf8');
  const named = name === undefined ? '' : ` (${quote(name)})`;
  return file.refusal(
    'IMAGE_EXTERNAL_DATA',
    `its data is in another file${named}, so its content would come from this host`,
    { details: { dataFile: name } },
  );
}

/** All extensions up to the end marker or the end of the first cluster, whichever comes first. */
async function listExtensions(
  file: ImageFile,
  headerLength: number,
  clusterBytes: number,
): Promise<readonly HeaderExtension[]> {
  const found: HeaderExtension[] = [];
  let offset = headerLength;
  while (offset + 8 <= clusterBytes) {
    const head = await file.available(offset, 8);
    if (head.length < 8) break;
    const type = head.readUInt32BE(0);
    const lengthBytes = head.readUInt32BE(4);
    if (offset + 8 + lengthBytes > clusterBytes || found.length === mostExtensions) {
      throw file.refusal('IMAGE_CORRUPT', `its header extensions do not end within its first cluster`);
    }
    if (type === endType) break;
    found.push({ type, offset: offset + 8, lengthBytes });
    offset += 8 + Math.ceil(lengthBytes / 8) * 8;
  }
  return found;
}
