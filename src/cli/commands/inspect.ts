import { defineCommand } from '../define-command.js';
import { renderDomainInspection, renderImageInspection } from '../render-inspection.js';
import { LaunchError } from '../../host/launch-error.js';

export const inspectCommand = defineCommand(
  {
    command: 'inspect [domain]',
    describe: "Show a domain's disks, link by link, or with --image an image's bases",
    positionals: {
      domain: { type: 'string', describe: 'an instance, or the name or uuid of any libvirt domain' },
    },
    options: {
      image: {
        type: 'string',
        describe: 'show this image, its bases and the instances on each',
        requiresArg: true,
      },
    },
    examples: [
      ['inspect instance-0000000c', 'overlay and base, also while the guest runs'],
      ['inspect --image fedora-17', 'who is on which base'],
    ],
  },
  async (context, args) => {
    if (args.image !== undefined) {
      const { inspectImage } = await import('../../instance/images/image-verbs.js');
      const inspection = await inspectImage(context.host, args.image);
      context.emit(inspection, () => renderImageInspection(inspection, context.host.now()));
      return;
    }
    if (args.domain === undefined) {
      throw new LaunchError('ARGUMENT_INVALID', 'which domain?', {
        hint: 'launch inspect instance-0000000c    or:  launch inspect --image NAME',
      });
    }
    const { inspectDomain } = await import('../../instance/inspect-domain.js');
    const inspection = await inspectDomain(context.host, args.domain, context.work);
    context.emit(inspection, () => renderDomainInspection(inspection, context.host.now()));
  },
);
