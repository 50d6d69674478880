import { basename } from 'node:path';
import { diskFormats } from '../../qemu-img/disk-format.js';
import { LaunchError } from '../../host/launch-error.js';
import { isRemote, parseRemoteLocation } from '../../image/fetch/remote-location.js';
import { defineCommand } from '../define-command.js';
import { escapeControls } from '../terminal/escape.js';

/** What `-` stands for in `image import`. */
export const standardInput = '/dev/stdin';

export const importCommand = defineCommand(
  {
    command: 'import <file>',
    describe: 'Take a disk image into the store: a file, a URL, or standard input',
    positionals: {
      file: { type: 'string', demandOption: true, describe: 'path or URL, or - for standard input' },
    },
    options: {
      name: { type: 'string', describe: "by default the file's name without its ending", requiresArg: true },
      'disk-format': { choices: diskFormats, describe: 'refuse the file unless it has this format' },
      id: { type: 'string', describe: 'UUID to give it, by default a new one', requiresArg: true },
      property: { type: 'string', array: true, nargs: 1, describe: 'key=value, may be repeated' },
      'box-disk': {
        type: 'string',
        describe: "a Vagrant box's disk, by default its first",
        requiresArg: true,
      },
      'min-disk': { type: 'number', default: 0, describe: 'smallest root disk it needs, in GiB' },
      'min-ram': { type: 'number', default: 0, describe: 'smallest memory it needs, in MiB' },
      sha256: { type: 'string', describe: 'digest that the file must have', requiresArg: true },
      sha512: { type: 'string', describe: 'digest that the file must have', requiresArg: true },
      checksums: { type: 'string', describe: 'file or URL with its digest: SHA256SUMS', requiresArg: true },
      signature: {
        type: 'string',
        describe: 'file or URL that signs the checksums, or without them the file itself',
        requiresArg: true,
      },
      keyring: { type: 'string', describe: 'file or URL with the keys that may sign', requiresArg: true },
      'allow-http': { type: 'boolean', default: false, describe: 'http:// too, which anyone can change' },
    },
    examples: [
      ['image import f17.qcow2 --name fedora-17', 'a file'],
      ['image import - --name fedora-17 < f17.qcow2', 'standard input, as with Glance'],
      ['image import disk.vmdk --format vmdk', 'refused unless it is one (--format is --disk-format here)'],
      ['image import https://example.org/disk.qcow2.xz --sha256 DIGEST', 'downloaded, checked, unpacked'],
      ['image import debian.box', 'a Vagrant box for libvirt; gz, xz, bz2, zst are unpacked, too'],
    ],
  },
  async (context, args) => {
    const { importImageFile } = await import('../../instance/images/image-verbs.js');
    const fromStdin = args.file === standardInput;
    if (fromStdin && args.name === undefined) {
      throw new LaunchError('ARGUMENT_INVALID', 'an image from standard input needs a name', {
        hint: 'launch image import - --name NAME < FILE',
      });
    }
    if (fromStdin && context.openStdin().isTTY === true) {
      throw new LaunchError('ARGUMENT_INVALID', 'standard input is a terminal', {
        hint: 'launch image import - --name NAME < FILE',
      });
    }
    const name = args.name ?? nameOf(args.file);
    if (name === '') {
      throw new LaunchError(
        'ARGUMENT_INVALID',
        `${JSON.stringify(args.file)} has no file name to call the image by`,
        {
          hint: 'add --name NAME',
        },
      );
    }
    const image = await importImageFile(
      context.host,
      {
        source: fromStdin
          ? { stream: context.openStdin(), displayName: 'standard input' }
          : isRemote(args.file)
            ? { url: args.file, allowHttp: args['allow-http'] }
            : { path: args.file },
        name,
        format: args['disk-format'],
        id: args.id,
        boxDisk: args['box-disk'],
        properties: parseProperties(args.property ?? []),
        minDiskGib: checkCount('--min-disk', args['min-disk']),
        minRamMib: checkCount('--min-ram', args['min-ram']),
        verification: {
          sha256: args.sha256,
          sha512: args.sha512,
          checksums: args.checksums,
          signature: args.signature,
          keyring: args.keyring,
        },
      },
      context.work,
    );
    context.emit(image, () => `${image.id}  ${escapeControls(image.name)}\n`);
  },
);

/** `disk` for `/tmp/disk.qcow2.xz` and for `https://example.org/disk.qcow2?token=…`. */
function nameOf(fileOrUrl: string): string {
  const name = isRemote(fileOrUrl)
    ? parseRemoteLocation(fileOrUrl, { allowHttp: true }).fileName
    : basename(fileOrUrl);
  return name.replace(/\.(gz|xz|bz2|zst)$/i, '').replace(/\.(qcow2?|img|raw|vmdk|vdi|vhdx?|vpc|box)$/i, '');
}

function parseProperties(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const found = /^([A-Za-z0-9_.:-]{1,255})=(.*)$/s.exec(pair);
      if (found?.[1] === undefined || found[2] === undefined) {
        throw new LaunchError('ARGUMENT_INVALID', `the property ${JSON.stringify(pair)} is not key=value`);
      }
      return [found[1], found[2]];
    }),
  );
}

function checkCount(option: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new LaunchError('ARGUMENT_INVALID', `${option} takes a whole number, not ${value}`);
}
