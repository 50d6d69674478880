import { formatBytes } from '../../host/units.js';
import type { ImageRecord } from '../../image/image-record.js';
import { defineCommand, defineGroup } from '../define-command.js';
import { imagePositional } from '../positionals.js';
import { escapeControls } from '../terminal/escape.js';
import { renderNovaTable } from '../terminal/table.js';
import { catalogueCommand, updateCommand } from './image-catalogue.js';
import { exportCommand } from './image-export.js';
import { importCommand } from './image-import.js';
import { prefetchCommand } from './prefetch.js';

export { standardOutput } from './image-export.js';
export { standardInput } from './image-import.js';

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
    for (const image of images.filter(({ verified }) => verified === null)) {
      context.say(`${image.name} (${image.id}) is unverified: it was downloaded, and nothing vouches for it`);
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
          ...describeProvenance(image),
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
    const { renameImageTo } = await import('../../instance/images/image-verbs.js');
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
    const { removeImage } = await import('../../instance/images/image-verbs.js');
    const removed = await removeImage(context.host, args.image, context.work);
    const bases =
      removed.removedBases.length === 0 ? '' : `, with ${removed.removedBases.length} of its bases`;
    context.emit(removed, () => `${removed.id} removed${bases}\n`);
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
    const { verifyStoredImage } = await import('../../instance/images/image-verbs.js');
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
  [
    ...[importCommand, listCommand, showCommand, renameCommand, removeCommand, exportCommand, verifyCommand],
    ...[catalogueCommand, updateCommand, prefetchCommand],
  ],
  [
    ['image import f17.qcow2 --name fedora-17', 'take an image into the store'],
    ['image list', 'what there is'],
    ['image catalogue', 'what can be fetched by its name:  launch debian-12'],
  ],
);

/** Glance's names beside ours; sizes in bytes. */
function imageAsJson(image: ImageRecord): object {
  return { ...image, containerFormat: 'bare', status: 'active' };
}

/** Where its file came from and who vouches for it; nothing for a local file that nobody asked about. */
function describeProvenance({ verified, downloaded, catalogue }: ImageRecord): [string, string][] {
  return [
    ...(catalogue === undefined
      ? []
      : [['catalogue', `${catalogue.name}, ${catalogue.architecture}`] satisfies [string, string]]),
    ...(downloaded === undefined
      ? []
      : [
          [
            'unpacked from',
            [downloaded.archive, downloaded.compression, formatBytes(downloaded.sizeBytes)]
              .filter((part) => part !== null)
              .join(', '),
          ] satisfies [string, string],
          ['its sha256', downloaded.sha256] satisfies [string, string],
        ]),
    ...(verified === undefined ? [] : [['verified', describeTrust(verified)] satisfies [string, string]]),
  ];
}

function describeTrust(verified: NonNullable<ImageRecord['verified']> | null): string {
  if (verified === null) return 'no: nothing vouches for it';
  const { by, algorithm, checksums = '', key = '' } = verified;
  switch (by) {
    case 'digest':
      return `${algorithm}, as given`;
    case 'checksums':
      return `${algorithm} in ${checksums}, no signature checked`;
    case 'signature':
      return `${algorithm} in ${checksums}, signed by ${key}`;
    case 'image-signature':
      return `the file itself, signed by ${key}`;
  }
}

function renderImages(images: readonly ImageRecord[]): string {
  const titles = ['ID', 'Name', 'Disk Format', 'Container Format', 'Size', 'Status'];
  return renderNovaTable(
    titles.map((title) => ({ title })),
    images.map((image) => [image.id, image.name, image.format, 'bare', `${image.sizeBytes}`, 'active']),
  );
}
