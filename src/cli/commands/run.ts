import { preallocations } from '../../qemu-img/qemu-img.js';
import type { LaunchPreview } from '../../instance/launch-instance.js';
import { formatBytes } from '../../host/units.js';
import { baseFormats } from '../../disk/base-format.js';
import { defineCommand, type Example } from '../define-command.js';
import { parseWait } from '../parse-wait.js';
import { parseDuration } from '../terminal/units.js';
import { escapeControls } from '../terminal/escape.js';

const examples: readonly Example[] = [
  ['fedora-17 --flavor m1.small', 'boot an image'],
  ['fedora-17 --name web --network none', 'with a name of your own, without a network'],
  ["fedora-17 --wait 'console=login:' --timeout 2m", 'wait until the console says so'],
  ['fedora-17 --memory 1024 --vcpus 2 --disk 30', 'other sizes than the flavor has (MiB, count, GiB)'],
  ['fedora-17 --dry-run', 'show the plan and the XML, touch nothing'],
  ['run list', 'boot an image that is called like a command'],
];

/** `launch IMAGE`, and `launch run IMAGE` for an image called like a command. */
export const runCommand = defineCommand(
  {
    command: ['$0 <image>', 'run <image>'],
    describe: 'Boot an image: base, overlay, domain, start',
    positionals: { image: { type: 'string', demandOption: true, describe: 'id, name, or start of the id' } },
    options: {
      flavor: { type: 'string', default: 'm1.small', describe: 'name of a flavor (launch flavor list)' },
      name: { type: 'string', describe: "the instance's name, by default its domain's", requiresArg: true },
      network: { type: 'string', default: 'default', describe: "libvirt's network, or none" },
      memory: { type: 'number', describe: 'memory in MiB, instead of the flavor’s' },
      vcpus: { type: 'number', describe: 'number of vCPUs, instead of the flavor’s' },
      disk: { type: 'number', describe: 'root disk in GiB, 0 for the image’s own size' },
      template: { type: 'string', default: 'linux', describe: 'name of a template, or an XML file' },
      'virt-type': {
        choices: ['auto', 'kvm', 'qemu'] as const,
        default: 'auto' as const,
        describe: 'kvm, or qemu for emulation; auto takes kvm where it works',
      },
      cow: { type: 'boolean', default: true, describe: '--no-cow: a raw copy instead of an overlay' },
      'base-format': {
        choices: baseFormats,
        describe: 'what the base is kept as, nearly always raw by default',
      },
      preallocate: { choices: preallocations, describe: "take the disk's space at once" },
      wait: { type: 'string', default: 'running', describe: 'none, running, or console=REGEX' },
      timeout: { type: 'string', default: '5m', describe: 'how long to wait: 90s, 5m' },
      'dry-run': { type: 'boolean', default: false, describe: 'show the plan and the XML, touch nothing' },
    },
    examples,
  },
  async (context, args) => {
    const { launchInstance, previewLaunch } = await import('../../instance/launch-instance.js');
    const request = {
      image: args.image,
      flavor: args.flavor,
      name: args.name,
      network: args.network === 'none' ? null : args.network,
      memoryMib: args.memory,
      vcpus: args.vcpus,
      diskGib: args.disk,
      template: args.template,
      virtType: args['virt-type'],
      cow: args.cow,
      preallocation: args.preallocate,
      baseFormat: args['base-format'],
      wait: parseWait(args.wait),
      timeoutMs: parseDuration(args.timeout),
    };
    if (args['dry-run']) {
      const preview = await previewLaunch(context.host, request, context.work);
      context.emit(preview, () => renderPreview(preview));
      return;
    }
    const launched = await launchInstance(context.host, request, context.work);
    const { instance, diskPath, basePath, baseOrigin, consoleLine } = launched;
    const result = { ...instance, diskPath, basePath, baseOrigin, consoleLine };
    context.emit(result, () =>
      [
        `${instance.domainName}  ${escapeControls(instance.displayName)}  ${instance.uuid}`,
        `  disk  ${diskPath}`,
        `  base  ${instance.disk.base === null ? `${basePath} (copied)` : basePath}`,
        '',
      ].join('\n'),
    );
  },
);

function renderPreview(preview: LaunchPreview): string {
  const { plan } = preview;
  const { memoryMib, vcpus, name } = plan.flavor;
  const format = plan.disk.kind === 'overlay' ? 'qcow2 overlay' : 'raw copy';
  const rows = [
    ['image', `${escapeControls(plan.image.name)} (${plan.image.id}), ${plan.image.format}`],
    ['flavor', `${name}: ${formatBytes(memoryMib * 1024 ** 2)} memory, ${vcpus} vCPU`],
    ['base', `${preview.basePath}${preview.baseExists ? ' (there already)' : ' (would be made)'}`],
    ['disk', `${preview.diskPath}, ${format}, ${formatBytes(plan.disk.virtualSizeBytes)}`],
    ['domain', `${plan.domainName}, ${plan.virtType}, template ${plan.template}`],
    ['network', plan.network === undefined ? 'none' : `${plan.network.name}, ${plan.network.macAddress}`],
  ] as const;
  const plain = rows.map(([key, value]) => `${key.padEnd(9)}${value}\n`).join('');
  return `${plain}\n${preview.domainXml.trimEnd()}\n`;
}
