import { defineCommand } from '../define-command.js';
import { escapeControls } from '../terminal/escape.js';
import { renderNovaTable } from '../terminal/table.js';

export const catalogueCommand = defineCommand(
  {
    command: 'catalogue',
    describe: 'List the images that are fetched by their name on first use',
    positionals: {},
    options: {},
    examples: [['image catalogue', 'then:  launch debian-12']],
  },
  async (context) => {
    const { listCatalogue } = await import('../../instance/images/catalogue-verbs.js');
    const entries = await listCatalogue(context.host);
    context.emit(entries, () =>
      renderNovaTable(
        ['Name', 'Title', 'Architectures', 'Digests', 'Here as'].map((title) => ({ title })),
        entries.map((entry) => [
          entry.name,
          `${entry.title}${entry.origin === 'user' ? ' (yours)' : ''}`,
          entry.architectures.join(', '),
          entry.signed ? 'signed' : 'published',
          entry.imageId ?? '-',
        ]),
      ),
    );
  },
);

export const updateCommand = defineCommand(
  {
    command: 'update <name>',
    describe: 'Import what the catalogue has now, beside the image that is here',
    positionals: {
      name: { type: 'string', demandOption: true, describe: 'a name of the catalogue' },
    },
    options: {},
    examples: [['image update debian-12', 'instances stay on the image they were made of']],
  },
  async (context, args) => {
    const { updateImage } = await import('../../instance/images/catalogue-verbs.js');
    const updated = await updateImage(context.host, args.name, context.work);
    const { image, previous, outcome } = updated;
    context.emit(updated, () => {
      const line = `${image.id}  ${escapeControls(image.name)}`;
      if (outcome === 'current') return `${line}: is what is published\n`;
      if (previous === null) return `${line}\n`;
      return `${line}\n${previous.id}  ${escapeControls(previous.name)}: the one before\n`;
    });
  },
);
