import { formatBytes } from '../../host/units.js';
import type { InstanceView } from '../../instance/list-instances.js';
import type { InstanceRecord } from '../../instance/instance-record.js';
import { defineCommand } from '../define-command.js';
import { instancePositional } from '../positionals.js';
import { renderNovaTable } from '../terminal/table.js';
import { renderNetworks, viewAsJson } from './list.js';

export const showCommand = defineCommand(
  {
    command: 'show <instance>',
    describe: 'Show what was asked for and what was made of it',
    positionals: instancePositional,
    options: {},
    examples: [['show instance-0000000c', 'the record and the state of one instance']],
  },
  async (context, args) => {
    const { getInstance } = await import('../../instance/find-instance.js');
    const { viewInstance } = await import('../../instance/list-instances.js');
    const record = await getInstance(context.host, args.instance);
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
    ['mac', record.network?.macAddress ?? ''],
    [
      'virt type',
      `${record.virtType}, cpu ${record.cpuMode}, machine ${record.machineType ?? 'not yet defined'}`,
    ],
    ['template', record.template],
    ['created', record.createdAt],
    ['directory', directory],
  ];
}
