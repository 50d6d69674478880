import type { Options } from 'yargs';
import { checkIds } from '../instance/doctor/finding.js';
import type { Host } from '../instance/open-host.js';
import { exportFormats } from '../image/export/export-format.js';
import { diskFormats } from '../qemu-img/disk-format.js';
import { valuedOptions, type Command } from './define-command.js';

/** What a shell asks about. */
export interface Completion {
  /** What was typed after the program's name, the word under the cursor last. */
  readonly typed: readonly string[];
  /** The same without options and their values. */
  readonly words: readonly string[];
}

const instanceCommands = [
  ...['show', 'inspect', 'start', 'stop', 'reboot', 'pause', 'resume', 'unpause', 'wait'],
  ...['delete', 'rm', 'log', 'console', 'ssh', 'exec', 'vnc', 'ssh-config'],
];
const imageCommands = ['show', 'rename', 'remove', 'rm', 'delete', 'export', 'verify'];
const flavorCommands = ['show', 'remove', 'rm', 'delete'];

/**
 * Names that can stand where the cursor is, from the records alone: completion never waits for libvirt.
 *
 * @returns undefined where only commands and options fit
 */
export async function completeNames(
  host: Host,
  { typed, words }: Completion,
): Promise<readonly string[] | undefined> {
  const [command, second] = words;
  const previous = typed.at(-2);
  if (previous === '--format' || previous === '--disk-format') {
    return formatsOf(command, second, previous);
  }
  if (previous === '--flavor') return await flavorNames(host);
  if (previous === '--image') return await imageNames(host);
  if (previous === '--template') return await templateNames(host);
  if (previous === '--virt-type') return ['auto', 'kvm', 'qemu'];
  if (previous === '--base-format') return ['raw', 'qcow2'];
  if (previous === '--wait' || previous === '--for')
    return ['running', 'address', 'ssh', 'cloud-init', 'console='];
  if (previous === '--network') return undefined;
  if (typed.at(-1)?.startsWith('-') === true) return undefined;
  if (words.length <= 1 || command === 'run') return await launchableNames(host);
  if (command === 'image' && second === 'prefetch') {
    return words.length === 3 ? await launchableNames(host) : undefined;
  }
  if (command === 'image' && second === 'update') return await catalogueNames(host);
  if (command === 'image' && imageCommands.includes(second ?? '')) {
    return words.length === 3 ? await imageNames(host) : undefined;
  }
  if (command === 'doctor') return checkIds;
  if (command === 'base' && second === 'verify') return await imageNames(host);
  if (command === 'flavor' && flavorCommands.includes(second ?? '')) return await flavorNames(host);
  if (command === 'template' && second === 'show') return await templateNames(host);
  if (instanceCommands.includes(command ?? '')) return await instanceNames(host);
  return undefined;
}

export function readCompletion(
  typed: readonly string[],
  commands: readonly Command[],
  commonOptions: Readonly<Record<string, Options>>,
): Completion {
  const valued = new Set([...valuedOptions(commonOptions), ...valuedOf(commands)]);
  const words = typed.filter((word, index) => {
    if (index === typed.length - 1) return true;
    return !word.startsWith('-') && !valued.has(typed[index - 1] ?? '');
  });
  return { typed, words };
}

function valuedOf(commands: readonly Command[]): readonly string[] {
  return commands.flatMap(({ outline }) => [...outline.valued, ...valuedOf(outline.commands)]);
}

/** In `image import` and `image export` --format is --disk-format, too. */
function formatsOf(command = '', second = '', option: string): readonly string[] {
  const printed = option === '--format' ? ['table', 'json'] : [];
  if (command !== 'image') return printed;
  if (second === 'import') return [...diskFormats, ...printed];
  return second === 'export' ? [...exportFormats, ...printed] : printed;
}

async function imageNames(host: Host): Promise<readonly string[]> {
  const { listImages } = await import('../image/image-store.js');
  return (await listImages(host.home)).images.map((image) => image.name);
}

/** What can be launched by its name: the images that are here, and those that the catalogue would fetch. */
async function launchableNames(host: Host): Promise<readonly string[]> {
  return [...new Set([...(await imageNames(host)), ...(await catalogueNames(host))])];
}

async function catalogueNames(host: Host): Promise<readonly string[]> {
  const { readCatalogue } = await import('../image/catalogue/catalogue.js');
  // A user's catalogue that is damaged is said by the commands that read it.
  const entries = await readCatalogue(host.home.catalogueFile).catch(() => []);
  return entries.map(({ name }) => name);
}

async function flavorNames(host: Host): Promise<readonly string[]> {
  const { listFlavors } = await import('../flavor/flavor-store.js');
  return (await listFlavors(host.home)).map((flavor) => flavor.name);
}

async function templateNames(host: Host): Promise<readonly string[]> {
  const { listTemplates } = await import('../domain/template.js');
  return (await listTemplates(host.templatesDirectory)).map((template) => template.name);
}

async function instanceNames(host: Host): Promise<readonly string[]> {
  const { listInstanceRecords } = await import('../instance/instance-record.js');
  const { records, damaged } = await listInstanceRecords(host.home);
  return [
    ...new Set([
      ...records.flatMap((record) => [record.displayName, record.domainName]),
      ...damaged.map((instance) => instance.domainName),
    ]),
  ];
}

/** Commands, or behind a dash options, that can stand where the cursor is. */
export function completeCommands(
  commands: readonly Command[],
  commonOptions: Readonly<Record<string, Options>>,
  { words }: Completion,
): readonly string[] {
  // Without a name of a command the words are those of `launch IMAGE`.
  const [launch] = commands;
  let here: readonly Command[] = commands;
  let options = launch?.outline.options ?? [];
  for (const word of words.slice(0, -1)) {
    const found = here.find((command) => command.outline.names.includes(word));
    if (found === undefined) continue;
    here = found.outline.commands;
    options = found.outline.options;
  }
  if (words.at(-1)?.startsWith('-') === true) {
    return [...options, ...Object.keys(commonOptions).map((name) => `--${name}`), '--help'];
  }
  const atName = words
    .slice(0, -1)
    .every((word) => commands.some(({ outline }) => outline.names.includes(word)));
  return atName ? here.flatMap(({ outline }) => outline.names).filter((name) => name !== '$0') : [];
}
