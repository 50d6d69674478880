import type { FlavorListing } from '../../flavor/flavor-store.js';
import { formatBytes } from '../../host/units.js';
import { defineCommand, defineGroup } from '../define-command.js';
import { escapeControls } from '../terminal/escape.js';
import { renderNovaTable } from '../terminal/table.js';

const namePositional = {
  name: { type: 'string', demandOption: true, describe: 'name of the flavor' },
} as const;

const listCommand = defineCommand(
  {
    command: ['list', 'ls'],
    describe: 'List the flavors',
    positionals: {},
    options: {},
    examples: [['flavor list', 'presets and your own']],
  },
  async (context) => {
    const { listFlavors } = await import('../../flavor/flavor-store.js');
    const flavors = await listFlavors(context.host.home);
    context.emit(flavors, () => renderFlavors(flavors));
  },
);

const showCommand = defineCommand(
  {
    command: 'show <name>',
    describe: 'Show one flavor',
    positionals: namePositional,
    options: {},
    examples: [['flavor show m1.small', '']],
  },
  async (context, args) => {
    const { getFlavor } = await import('../../flavor/flavor-store.js');
    const flavor = await getFlavor(context.host.home, args.name);
    context.emit(flavor, () => renderFlavors([flavor]));
  },
);

const createCommand = defineCommand(
  {
    command: 'create <name>',
    describe: 'Make a flavor of your own',
    positionals: namePositional,
    options: {
      memory: { type: 'number', demandOption: true, describe: 'memory in MiB' },
      vcpus: { type: 'number', default: 1, describe: 'number of vCPUs' },
      disk: { type: 'number', default: 0, describe: 'root disk in GiB; 0 for the image’s own size' },
    },
    examples: [['flavor create ci --memory 1024 --vcpus 2 --disk 10', '']],
  },
  async (context, args) => {
    const { addFlavor } = await import('../../instance/flavor-verbs.js');
    const flavor = await addFlavor(context.host, {
      name: args.name,
      memoryMib: args.memory,
      vcpus: args.vcpus,
      diskGib: args.disk,
    });
    context.emit(flavor, () => renderFlavors([flavor]));
  },
);

const removeCommand = defineCommand(
  {
    command: ['remove <name>', 'rm <name>', 'delete <name>'],
    describe: 'Remove a flavor of your own; instances keep what they have',
    positionals: namePositional,
    options: {},
    examples: [['flavor remove ci', '']],
  },
  async (context, args) => {
    const { dropFlavor } = await import('../../instance/flavor-verbs.js');
    await dropFlavor(context.host, args.name);
    context.emit({ name: args.name, removed: true }, () => `${escapeControls(args.name)} removed\n`);
  },
);

export const flavorCommand = defineGroup(
  'flavor',
  'Sizes of instances: presets and your own',
  [listCommand, showCommand, createCommand, removeCommand],
  [['flavor list', 'what there is']],
);

function renderFlavors(flavors: readonly FlavorListing[]): string {
  return renderNovaTable(
    [
      { title: 'Name' },
      { title: 'Memory', align: 'right' },
      { title: 'vCPUs', align: 'right' },
      { title: 'Disk', align: 'right' },
      { title: 'Origin' },
    ],
    flavors.map((flavor) => [
      flavor.name,
      formatBytes(flavor.memoryMib * 1024 ** 2),
      `${flavor.vcpus}`,
      flavor.diskGib === 0 ? "image's own" : `${flavor.diskGib} GiB`,
      flavor.origin,
    ]),
  );
}
