import { preallocations } from '../../qemu-img/qemu-img.js';
import { baseFormats } from '../../disk/base-format.js';
import { defineCommand, type Example } from '../define-command.js';
import { parseNetworks } from '../parse-network.js';
import { parseSeed, seedOptions } from '../parse-seed.js';
import { parseWait } from '../parse-wait.js';
import {
  launchedAsJson,
  manyAsJson,
  manyFailed,
  renderLaunched,
  renderMany,
  renderPreview,
} from '../render-launch.js';
import { parseDuration } from '../terminal/units.js';

const examples: readonly Example[] = [
  ['fedora-17 --flavor m1.small', 'boot an image'],
  ['fedora-17 --name web --network none', 'with a name of your own, without a network'],
  ['fedora-17 --network default,ip=192.168.122.50', 'with an address that the network keeps for it'],
  ['fedora-17 --network user --publish 8080:80', 'without privileges; port 8080 leads to the guest'],
  ["fedora-17 --wait 'console=login:' --timeout 2m", 'wait until the console says so'],
  ["debian-12 --user alice --run 'apt-get install -y nginx'", 'a user of yours, and a command'],
  ['debian-12 --key ~/.ssh/id_ed25519.pub --user-data cloud.yaml', 'a key and a cloud-config'],
  ['fedora-17 --memory 1024 --vcpus 2 --disk 30', 'other sizes than the flavor has (MiB, count, GiB)'],
  ['fedora-17 --count 20 --name web-%d', 'twenty at once: web-1 to web-20'],
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
      network: {
        type: 'string',
        array: true,
        requiresArg: true,
        describe: 'NAME, bridge=NAME, user or none; behind it ,mac= ,ip= ,model=; one each time',
      },
      publish: {
        type: 'string',
        array: true,
        requiresArg: true,
        describe: '[ADDRESS:]HOSTPORT:GUESTPORT[/udp], with --network user',
      },
      ...seedOptions,
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
      wait: {
        type: 'string',
        requiresArg: true,
        describe: 'none, running, address, ssh, cloud-init, or console=REGEX; ssh where the image has it',
      },
      timeout: { type: 'string', default: '5m', describe: 'how long to wait: 90s, 5m' },
      rollback: { type: 'boolean', default: false, describe: 'undo the launch when the wait fails' },
      count: {
        type: 'number',
        requiresArg: true,
        describe: 'launch so many; %d in --name is each one’s number',
      },
      parallel: {
        type: 'number',
        requiresArg: true,
        describe: 'of many, so many at a time; by default what the processors bear',
      },
      atomic: { type: 'boolean', default: false, describe: 'of many, all or none' },
      overcommit: {
        type: 'boolean',
        default: false,
        describe: 'launch many with more memory than the host has free',
      },
      'dry-run': { type: 'boolean', default: false, describe: 'show the plan and the XML, touch nothing' },
    },
    examples,
  },
  async (context, args) => {
    const request = {
      image: args.image,
      flavor: args.flavor,
      name: args.name,
      ...parseNetworks(args.network, args.publish),
      memoryMib: args.memory,
      vcpus: args.vcpus,
      diskGib: args.disk,
      template: args.template,
      virtType: args['virt-type'],
      cow: args.cow,
      preallocation: args.preallocate,
      baseFormat: args['base-format'],
      seed: parseSeed(args),
      wait: args.wait === undefined ? undefined : parseWait(args.wait),
      rollback: args.rollback,
      timeoutMs: parseDuration(args.timeout),
    };
    if (args['dry-run']) {
      const { previewLaunch } = await import('../../instance/launch-instance.js');
      const preview = await previewLaunch(context.host, request, context.work);
      context.emit(preview, () => renderPreview(preview));
      return;
    }
    if (args.count === undefined) {
      const { launchInstance } = await import('../../instance/launch-instance.js');
      const launched = await launchInstance(context.host, request, context.work);
      context.emit(launchedAsJson(launched), () => renderLaunched(launched));
      return;
    }
    const { launchMany } = await import('../../instance/launch-many.js');
    const { count, parallel, atomic, overcommit } = args;
    const many = await launchMany(
      context.host,
      request,
      { count, parallel, atomic, overcommit },
      context.work,
    );
    const [failed] = many.failed;
    if (failed === undefined || many.launched.length > 0) {
      context.emit(manyAsJson(many), () => renderMany(many));
    }
    if (failed !== undefined) throw manyFailed(many, failed);
  },
);
