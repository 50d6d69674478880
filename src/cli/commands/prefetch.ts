import { formatBytes } from '../../host/units.js';
import { baseFormats } from '../../disk/base-format.js';
import { baseOriginWords } from '../../disk/base-origin.js';
import { defineCommand } from '../define-command.js';
import { imagePositional } from '../positionals.js';

export const prefetchCommand = defineCommand(
  {
    command: 'prefetch <image>',
    describe: 'Make the base of an image before anyone needs it, and fetch the image if it is not here',
    positionals: imagePositional,
    options: {
      flavor: {
        type: 'string',
        array: true,
        nargs: 1,
        default: ['m1.small'],
        describe: 'name of a flavor (launch flavor list), may be repeated',
      },
      'base-format': {
        choices: baseFormats,
        describe: 'what the base is kept as, nearly always raw by default',
      },
      disk: { type: 'number', describe: 'root disk in GiB, instead of the flavor’s; 0 for the image’s own' },
    },
    examples: [
      ['image prefetch fedora-17 --flavor m1.small', 'the next launch as m1.small converts nothing'],
      [
        'image prefetch debian-12 --flavor m1.small --flavor m1.large',
        'fetched, if need be; for two flavors',
      ],
    ],
  },
  async (context, args) => {
    const { prefetchBases } = await import('../../instance/bases/prefetch-base.js');
    const prefetched = await prefetchBases(
      context.host,
      { image: args.image, flavors: args.flavor, diskGib: args.disk, baseFormat: args['base-format'] },
      context.work,
    );
    context.emit(prefetched, () =>
      prefetched
        .map(
          ({ path, allocatedBytes, origin }) =>
            `${path}  ${formatBytes(allocatedBytes)} on disk, ${baseOriginWords[origin]}\n`,
        )
        .join(''),
    );
  },
);
