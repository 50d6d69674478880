import type { LaunchError } from '../../host/launch-error.js';
import type { ImageFile } from './image-file.js';
import { shellWord } from './quote.js';
import type { ForeignFormat } from './signature.js';

/** The refusal of a file that is not an image that can be imported, with what to do about each kind. */
export function foreignRefusal(file: ImageFile, format: Exclude<ForeignFormat, 'iso'>): LaunchError {
  const word = shellWord(file.name);
  const unknown = (reason: string, hint: string): LaunchError =>
    file.refusal('IMAGE_FORMAT_UNKNOWN', reason, { hint, details: { format } });
  const banned = (what: string, from: string): LaunchError =>
    file.refusal('IMAGE_FORMAT_BANNED', `it is ${what}, a format that is not accepted`, {
      hint: `convert it where it was made:  qemu-img convert -f ${from} -O qcow2 ${word} new.qcow2`,
      details: { format },
    });
  const compressed = (program: string, suffix: RegExp): LaunchError =>
    unknown(
      `it is compressed with ${program}, not a disk image yet`,
      suffix.test(file.name)
        ? `decompress it first:  ${program} -d -k ${word}`
        : `decompress it first:  ${program} -d -c < ${word} > image`,
    );
  const archive = (kind: string, command: string): LaunchError =>
    unknown(
      `it is a ${kind} archive, not a disk image`,
      `unpack it, then import the disk in it:  ${command}`,
    );
  const document = (what: string): LaunchError =>
    unknown(
      `it is ${what}, not a disk image`,
      'a server may have answered with a message instead of the image: open its address in a browser, then download again',
    );

  switch (format) {
    case 'qcow':
      return banned('a qcow image of version 1', 'qcow');
    case 'qed':
      return banned('a QED image', 'qed');
    case 'cowd':
      return banned('a COWD disk of VMware ESX', 'vmdk');
    case 'sesparse':
      return banned('an seSparse disk of VMware ESXi', 'vmdk');
    case 'parallels':
      return banned('a Parallels disk', 'parallels');
    case 'bochs':
      return banned('a Bochs disk', 'bochs');
    case 'cloop':
      return banned('a compressed loop (cloop) image', 'cloop');
    case 'dmg':
      return banned('an Apple disk image (DMG)', 'dmg');
    case 'luks':
      return file.refusal(
        'IMAGE_ENCRYPTED',
        'it is encrypted (LUKS), so it cannot be read without its passphrase',
        {
          hint: `decrypt it where its passphrase is known:  qemu-img convert --object secret,id=key,file=PASSPHRASE --image-opts driver=luks,key-secret=key,file.filename=${word} -O qcow2 plain.qcow2`,
          details: { format },
        },
      );
    case 'gzip':
      return compressed('gzip', /\.(gz|tgz)$/i);
    case 'xz':
      return compressed('xz', /\.(xz|txz)$/i);
    case 'lzma':
      return compressed('lzma', /\.(lzma|tlz)$/i);
    case 'bzip2':
      return compressed('bzip2', /\.(bz2|tbz2?)$/i);
    case 'zstd':
      return compressed('zstd', /\.(zst|tzst)$/i);
    case 'lz4':
      return compressed('lz4', /\.lz4$/i);
    case 'zip':
      return archive('zip', `unzip ${word}`);
    case '7z':
      return archive('7z', `7z x ${word}`);
    case 'rar':
      return archive('rar', `unrar x ${word}`);
    case 'tar':
      return archive('tar', `tar -xvf ${word}`);
    case 'pdf':
      return document('a PDF document');
    case 'html':
      return document('a web page (HTML)');
    case 'xml':
      return document('an XML document');
    case 'json':
      return document('a JSON document');
    case 'git-lfs':
      return unknown(
        'it is a pointer of Git LFS, not the disk image itself',
        'fetch the image:  git lfs pull',
      );
  }
}
