import { formatBytes } from '../../host/units.js';
import { baseFormats } from '../../disk/base-format.js';
import { defineCommand } from '../define-command.js';
import { imagePositional } from '../positionals.js';

export const prefetchCommand = defineCommand(
  {
    command: 'prefetch <image>',
    describe: 'Make the base of an image before anyone needs it',
    positionals: imagePositional,
    options: {
      flavor: { type: 'string', default: 'm1.small', describe: 'name of a flavor (launch flavor list)' },
      'base-format': {
        choices: baseFormats,
        describe: 'what the base is kept as, nearly always raw by default',
      },
      disk: { type: 'number', describe: 'root disk in GiB, instead of the flavor’s; 0 for the image’s own' },
    },
    examples: [
      ['image prefetch fedora-17 --flavor m1.small', 'the next launch as m1.small converts nothing'],
    ],
  },
  async (context, args) => {
    const { prefetchBase } = await import('../../instance/bases/prefetch-base.js');
    const prefetched = await prefetchBase(
      context.host,
      { image: args.image, flavor: args.flavor, diskGib: args.disk, baseFormat: args['base-format'] },
      context.work,
    );
    context.emit(
      prefetched,
      () => `${prefetched.path}  ${formatBytes(prefetched.allocatedBytes)} on disk, ${prefetched.origin}\n`,
    );
  },
);
