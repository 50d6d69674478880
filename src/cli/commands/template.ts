import { defineCommand, defineGroup } from '../define-command.js';
import { renderNovaTable } from '../terminal/table.js';

const listCommand = defineCommand(
  {
    command: ['list', 'ls'],
    describe: 'List the templates',
    positionals: {},
    options: {},
    examples: [['template list', 'what --template takes by name']],
  },
  async (context) => {
    const { listTemplates } = await import('../../domain/template.js');
    const templates = await listTemplates(context.host.templatesDirectory);
    context.emit(templates, () =>
      renderNovaTable(
        [{ title: 'Name' }, { title: 'Description' }],
        templates.map((template) => [template.name, template.description ?? '']),
      ),
    );
  },
);

const showCommand = defineCommand(
  {
    command: 'show <name>',
    describe: "Print a template's XML, to write one's own from",
    positionals: {
      name: { type: 'string', demandOption: true, describe: 'name of a template, or an XML file' },
    },
    options: {},
    examples: [['template show linux > mine.xml', 'then:  launch IMAGE --template ./mine.xml']],
  },
  async (context, args) => {
    const { loadTemplate } = await import('../../domain/template.js');
    const template = await loadTemplate(args.name, { templatesDirectory: context.host.templatesDirectory });
    context.emit(template, () => `${template.xml.trimEnd()}\n`);
  },
);

export const templateCommand = defineGroup(
  'template',
  'Domain XML that instances are rendered from',
  [listCommand, showCommand],
  [['template list', 'what there is']],
);
