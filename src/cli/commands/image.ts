import { basename } from 'node:path';
import { isDiskFormat, diskFormats, type DiskFormat } from '../../qemu-img/disk-format.js';
import { LaunchError } from '../../host/launch-error.js';
import { formatBytes } from '../../host/units.js';
import type { ImageRecord } from '../../image/image-record.js';
import { defineCommand, defineGroup } from '../define-command.js';
import { imagePositional } from '../positionals.js';
import { escapeControls } from '../terminal/escape.js';
import { renderNovaTable } from '../terminal/table.js';

/** What `-` stands for. */
export const standardInput = '/dev/stdin';
export const standardOutput = '/dev/stdout';

const importCommand = defineCommand(
  {
    command: 'import <file>',
    describe: 'Take a disk image into the store',
    positionals: {
      file: { type: 'string', demandOption: true, describe: 'path of the image, or - for standard input' },
    },
    options: {
      name: { type: 'string', describe: "by default the file's name without its ending", requiresArg: true },
      'disk-format': { choices: diskFormats, describe: 'refuse the file unless it has this format' },
      id: { type: 'string', describe: 'UUID to give it, by default a new one', requiresArg: true },
      property: { type: 'string', array: true, nargs: 1, describe: 'key=value, may be repeated' },
      'min-disk': { type: 'number', default: 0, describe: 'smallest root disk it needs, in GiB' },
      'min-ram': { type: 'number', default: 0, describe: 'smallest memory it needs, in MiB' },
    },
    examples: [
      ['image import f17.qcow2 --name fedora-17', 'a file'],
      ['image import - --name fedora-17 < f17.qcow2', 'standard input, as with Glance'],
      ['image import disk.vmdk --format vmdk', 'refused unless it is one (--format is --disk-format here)'],
    ],
  },
  async (context, args) => {
    const { importImageFile } = await import('../../instance/image-verbs.js');
    const fromStdin = args.file === standardInput;
    if (fromStdin && args.name === undefined) {
      throw new LaunchError('ARGUMENT_INVALID', 'an image from standard input needs a name', {
        hint: 'launch image import - --name NAME < FILE',
      });
    }
    if (fromStdin && context.stdin.isTTY === true) {
      throw new LaunchError('ARGUMENT_INVALID', 'standard input is a terminal', {
        hint: 'launch image import - --name NAME < FILE',
      });
    }
    const image = await importImageFile(
      context.host,
      {
        source: fromStdin ? { stream: context.stdin, displayName: 'standard input' } : { path: args.file },
        name: args.name ?? basename(args.file).replace(/\.(qcow2?|img|raw|vmdk|vdi|vhdx?|vpc)$/i, ''),
        format: args['disk-format'],
        id: args.id,
        properties: parseProperties(args.property ?? []),
        minDiskGib: checkCount('--min-disk', args['min-disk']),
        minRamMib: checkCount('--min-ram', args['min-ram']),
      },
      context.work,
    );
    context.emit(image, () => `${image.id}  ${escapeControls(image.name)}\n`);
  },
);

const listCommand = defineCommand(
  {
    command: ['list', 'ls'],
    describe: 'List the images, as Glance does',
    positionals: {},
    options: {},
    examples: [['image list --format json', 'for programs']],
  },
  async (context) => {
    const { listImages } = await import('../../image/image-store.js');
    const { images, damaged } = await listImages(context.host.home);
    context.emit(images.map(imageAsJson), () => (images.length === 0 ? '' : renderImages(images)));
    for (const { id, problem } of damaged) {
      context.say(`${id}: ${problem}; remove it:  launch image remove ${id}`);
    }
    if (images.length + damaged.length === 0 && context.options.format === 'table') {
      context.say('there are no images yet:  launch image import FILE --name NAME');
    }
  },
);

const showCommand = defineCommand(
  {
    command: 'show <image>',
    describe: "Show an image's record",
    positionals: imagePositional,
    options: {},
    examples: [['image show fedora-17', '']],
  },
  async (context, args) => {
    const { getImage } = await import('../../image/image-store.js');
    const image = await getImage(context.host.home, args.image);
    context.emit(imageAsJson(image), () =>
      renderNovaTable(
        [{ title: 'Property' }, { title: 'Value' }],
        [
          ['id', image.id],
          ['name', image.name],
          ['disk format', image.format],
          ['container format', 'bare'],
          ['size', `${image.sizeBytes} (${formatBytes(image.sizeBytes)})`],
          ['virtual size', `${image.virtualSizeBytes} (${formatBytes(image.virtualSizeBytes)})`],
          ['sha256', image.sha256],
          ['min disk', `${image.minDiskGib} GiB`],
          ['min ram', `${image.minRamMib} MiB`],
          ...Object.entries(image.properties).map(([key, value]) => [`property ${key}`, value]),
          ['source', image.source],
          ['created', image.createdAt],
        ],
      ),
    );
  },
);

const renameCommand = defineCommand(
  {
    command: 'rename <image> <name>',
    describe: 'Give an image another name',
    positionals: {
      ...imagePositional,
      name: { type: 'string', demandOption: true, describe: 'the new name' },
    },
    options: {},
    examples: [['image rename fedora-17 fedora-17-old', '']],
  },
  async (context, args) => {
    const { renameImageTo } = await import('../../instance/image-verbs.js');
    const image = await renameImageTo(context.host, args.image, args.name);
    context.emit(imageAsJson(image), () => `${image.id}  ${escapeControls(image.name)}\n`);
  },
);

const removeCommand = defineCommand(
  {
    command: ['remove <image>', 'rm <image>', 'delete <image>'],
    describe: 'Remove an image and its bases; refused while an instance is on one',
    positionals: imagePositional,
    options: {},
    examples: [['image remove fedora-17', '']],
  },
  async (context, args) => {
    const { removeImage } = await import('../../instance/image-verbs.js');
    const removed = await removeImage(context.host, args.image, context.work);
    const bases =
      removed.removedBases.length === 0 ? '' : `, with ${removed.removedBases.length} of its bases`;
    context.emit(removed, () => `${removed.id} removed${bases}\n`);
  },
);

const exportCommand = defineCommand(
  {
    command: 'export <image> <file>',
    describe: 'Write the file as it was imported',
    positionals: {
      ...imagePositional,
      file: { type: 'string', demandOption: true, describe: 'a path that does not exist, or - for stdout' },
    },
    options: {},
    examples: [
      ['image export fedora-17 f17.qcow2', ''],
      ['image export fedora-17 - | sha256sum', 'to standard output'],
    ],
  },
  async (context, args) => {
    const { exportImage, streamImage } = await import('../../instance/image-verbs.js');
    if (args.file === standardOutput) {
      await context.write(await streamImage(context.host, args.image));
      return;
    }
    const exported = await exportImage(context.host, args.image, args.file, context.work);
    context.emit(exported, () => `${exported.path}\n`);
  },
);

const verifyCommand = defineCommand(
  {
    command: 'verify <image>',
    describe: 'Read the file again and compare its digest with the record',
    positionals: imagePositional,
    options: {},
    examples: [['image verify fedora-17', '']],
  },
  async (context, args) => {
    const { verifyStoredImage } = await import('../../instance/image-verbs.js');
    const { image, sha256 } = await verifyStoredImage(context.host, args.image, context.work);
    context.emit(
      { id: image.id, name: image.name, sha256, matches: true },
      () => `${sha256}  ${escapeControls(image.name)}: as imported\n`,
    );
  },
);

export const imageCommand = defineGroup(
  'image',
  'Import, list and keep images',
  [importCommand, listCommand, showCommand, renameCommand, removeCommand, exportCommand, verifyCommand],
  [
    ['image import f17.qcow2 --name fedora-17', 'take an image into the store'],
    ['image list', 'what there is'],
  ],
);

/** Glance's names beside ours; sizes in bytes. */
function imageAsJson(image: ImageRecord): object {
  return { ...image, containerFormat: 'bare', status: 'active' };
}

function renderImages(images: readonly ImageRecord[]): string {
  const titles = ['ID', 'Name', 'Disk Format', 'Container Format', 'Size', 'Status'];
  return renderNovaTable(
    titles.map((title) => ({ title })),
    images.map((image) => [image.id, image.name, image.format, 'bare', `${image.sizeBytes}`, 'active']),
  );
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

/** `launch image import --format qcow2` means the disk's format, as in Glance; json stays json. */
export function splitImportFormat(values: readonly string[]): {
  readonly output: 'table' | 'json';
  readonly disk: DiskFormat | undefined;
  /** Neither the one nor the other. */
  readonly unknown: string | undefined;
} {
  return {
    output: values.includes('json') ? 'json' : 'table',
    disk: values.filter(isDiskFormat).at(-1),
    unknown: values.find((value) => !isDiskFormat(value) && value !== 'json' && value !== 'table'),
  };
}
