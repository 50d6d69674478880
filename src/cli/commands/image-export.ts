import { basename } from 'node:path';
import { LaunchError } from '../../host/launch-error.js';
import { formatBytes } from '../../host/units.js';
import {
  endingOf,
  exportFormats,
  formatOfName,
  type ExportFormat,
} from '../../image/export/export-format.js';
import { defineCommand } from '../define-command.js';
import { imagePositional } from '../positionals.js';

/** What `-` stands for in `image export`. */
export const standardOutput = '/dev/stdout';

export const exportCommand = defineCommand(
  {
    command: 'export <image> [file]',
    describe: 'Write an image to a file, as it was imported or in another format, or as a Vagrant box',
    positionals: {
      ...imagePositional,
      file: {
        type: 'string',
        describe: "a path that does not exist, by default the image's name here; - for stdout",
      },
    },
    options: {
      'disk-format': { choices: exportFormats, describe: 'by default the file as it was imported' },
      compress: { type: 'boolean', default: false, describe: 'qcow2, vmdk and box only; takes longer' },
    },
    examples: [
      ['image export fedora-17', 'fedora-17.qcow2, as it was imported'],
      [
        'image export fedora-17 --format box --compress',
        'for vagrant box add (--format is --disk-format here)',
      ],
      ['image export fedora-17 /srv/f17.vmdk --format vmdk', 'converted'],
      ['image export fedora-17 - | sha256sum', 'as imported, to standard output'],
    ],
  },
  async (context, args) => {
    const { exportImage, streamImage } = await import('../../instance/images/export-image.js');
    const format = args['disk-format'];
    if (args.file === standardOutput) {
      refuseConversion(format, args.compress);
      await context.write(await streamImage(context.host, args.image));
      return;
    }
    const { getImage } = await import('../../image/image-store.js');
    const image = await getImage(context.host.home, args.image);
    const path = args.file ?? `./${image.name.replaceAll('/', '-')}.${endingOf(format ?? image.format)}`;
    checkFileName(path, format, image.format);
    const { compress } = args;
    const exported = await exportImage(context.host, image.id, path, { ...context.work, format, compress });
    context.emit(
      exported,
      () => `${exported.path}  ${exported.format}, ${formatBytes(exported.allocatedBytes)} on disk\n`,
    );
  },
);

/** qemu-img writes back and forth in its target, so what it makes cannot go into a pipe. */
function refuseConversion(format: ExportFormat | undefined, compress: boolean): void {
  if (format === undefined && !compress) return;
  throw new LaunchError('ARGUMENT_INVALID', 'only the file as it was imported goes to standard output', {
    hint: 'name a file, or leave --format and --compress out',
  });
}

/** A qcow2 that is called .vmdk would mislead whoever gets it. */
function checkFileName(path: string, format: ExportFormat | undefined, stored: ExportFormat): void {
  const named = formatOfName(path);
  if (named === undefined || named === (format ?? stored)) return;
  throw new LaunchError(
    'ARGUMENT_INVALID',
    `"${basename(path)}" is called ${named}, and would be ${format ?? `${stored}, as it was imported`}`,
    {
      hint:
        format === undefined
          ? `convert it:  --format ${named}\nor call it  ${basename(path).replace(/[^.]*$/, endingOf(stored))}`
          : `call it  ${basename(path).replace(/[^.]*$/, endingOf(format))}`,
    },
  );
}
