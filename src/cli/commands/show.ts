import { formatBytes } from '../../host/units.js';
import type { InstanceView } from '../../instance/list-instances.js';
import type { InstanceRecord } from '../../instance/instance-record.js';
import { defineCommand } from '../define-command.js';
import { instancePositional } from '../positionals.js';
import { describeInterface } from '../render-interface.js';
import { renderSeed } from '../render-seed.js';
import { renderNovaTable } from '../terminal/table.js';
import { renderNetworks, viewAsJson } from './list.js';

export const showCommand = defineCommand(
  {
    command: 'show <instance>',
    describe: 'Show what was asked for and what was made of it',
    positionals: instancePositional,
    options: {
      seed: {
        type: 'boolean',
        default: false,
        describe: 'what the guest is told of itself, but for secrets',
      },
    },
    examples: [
      ['show instance-0000000c', 'the record and the state of one instance'],
      ['show web --timings', 'where the time of its launch went'],
      ['show web --seed', 'its meta-data, user-data and network-config'],
    ],
  },
  async (context, args) => {
    if (args.seed) {
      const { showSeed } = await import('../../instance/seed/show-seed.js');
      const seed = await showSeed(context.host, args.instance);
      context.emit(seed, () => renderSeed(seed));
      return;
    }
    const { getInstance } = await import('../../instance/find-instance.js');
    const { viewInstance } = await import('../../instance/list-instances.js');
    const record = await getInstance(context.host, args.instance);
    if (context.claimTimings()) {
      const { renderTimings } = await import('../render-timings.js');
      context.emit(record.timings, () => renderTimings(record.timings));
      return;
    }
    const view = await viewInstance(context.host, record);
    const paths = context.host.home.instance(record.domainName);
    context.emit({ ...viewAsJson(view), directory: paths.directory }, () =>
      renderNovaTable(
        [{ title: 'Property' }, { title: 'Value' }],
        rowsOf(view, record, paths.directory).map(([key, value]) => [key, value]),
      ),
    );
  },
);

function rowsOf(
  view: InstanceView,
  record: InstanceRecord,
  directory: string,
): readonly (readonly [string, string])[] {
  const { flavor, disk } = record;
  return [
    ['id', record.uuid],
    ['name', record.displayName],
    ['status', view.status],
    ...view.problems.map((problem) => ['problem', problem] as const),
    ['domain', `${record.domainName} (${view.domainState ?? 'not in libvirt'})`],
    ['image', `${record.image.name} (${record.image.id})`],
    ['flavor', `${flavor.name}: ${flavor.memoryMib} MiB, ${flavor.vcpus} vCPU, ${flavor.diskGib} GiB`],
    ['disk', `${disk.format}, ${formatBytes(disk.virtualSizeBytes)}`],
    ['base', disk.base ?? 'none: a raw copy'],
    ['networks', renderNetworks(view)],
    ...record.interfaces.map((one) => ['interface', describeInterface(one)] as const),
    [
      'virt type',
      `${record.virtType}, cpu ${record.cpuMode}, machine ${record.machineType ?? 'not yet defined'}`,
    ],
    ['template', record.template],
    ['seed', record.seed === null ? 'none' : `${record.seed.kind}, host name ${record.seed.hostname}`],
    ...loginRows(record),
    ['created', record.createdAt],
    ['directory', directory],
  ];
}

/** Who logs in and with which key, where it is known. */
function loginRows({ login }: InstanceRecord): readonly (readonly [string, string])[] {
  return [
    ...(login.user === null ? [] : [['user', login.user] as const]),
    ...(login.identityFile === null ? [] : [['key', login.identityFile] as const]),
  ];
}
