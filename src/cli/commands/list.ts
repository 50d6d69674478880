import type { InstanceRecord } from '../../instance/instance-record.js';
import type { InstanceView } from '../../instance/list-instances.js';
import { defineCommand } from '../define-command.js';
import { displayWidth } from '../terminal/display-width.js';
import { renderNovaTable } from '../terminal/table.js';

export const listCommand = defineCommand(
  {
    command: ['list', 'ls'],
    describe: 'List the instances',
    positionals: {},
    options: {},
    examples: [
      ['list', 'all instances, as nova list shows them'],
      ['list --format json', 'for programs'],
    ],
  },
  async (context) => {
    const { listInstances } = await import('../../instance/list-instances.js');
    const views = await listInstances(context.host, context.work);
    context.emit(views.map(viewAsJson), () =>
      views.length === 0
        ? ''
        : renderList(views, context.terminal.interactive ? context.terminal.columns : 200),
    );
    if (context.options.format === 'json') return;
    for (const view of views) {
      for (const problem of view.problems) context.say(`${view.domainName}: ${problem}`);
    }
    if (views.length === 0) context.say('there are no instances yet:  launch IMAGE   (launch image list)');
  },
);

type Interface = InstanceRecord['interfaces'][number];

/** One object a row: the record, and what libvirt says. */
export function viewAsJson(view: InstanceView): object {
  const { record, ...seen } = view;
  return { ...record, ...seen };
}

export function renderNetworks(view: InstanceView): string {
  return (view.record?.interfaces ?? []).map((one) => renderInterface(one, view)).join(', ');
}

/** What the interface is on, and how the guest is reached there, as far as that is known. */
function renderInterface(one: Interface, view: InstanceView): string {
  switch (one.kind) {
    case 'network':
    case 'bridge': {
      const name = one.kind === 'network' ? one.network : one.bridge;
      // Two cards may be on one network.
      const found = view.addresses.filter(
        ({ network, macAddress }) => network === name && macAddress === one.macAddress,
      );
      return found.length === 0 ? name : found.map(({ address }) => `${name}=${address}`).join(', ');
    }
    case 'user': {
      const ssh = one.forwards.find(({ protocol, guestPort }) => protocol === 'tcp' && guestPort === 22);
      return ssh === undefined ? 'user' : `user=${ssh.hostAddress}:${ssh.hostPort}`;
    }
  }
}

/** Whole ids where there is room; the start of one is enough to name an instance. */
function renderList(views: readonly InstanceView[], columns: number): string {
  const whole = renderTable(views, (uuid) => uuid);
  const width = displayWidth(whole.slice(0, whole.indexOf('\n')));
  return width <= columns ? whole : renderTable(views, (uuid) => uuid.slice(0, 8));
}

function renderTable(views: readonly InstanceView[], shorten: (uuid: string) => string): string {
  const titles = ['ID', 'Name', 'Status', 'Networks', 'Domain', 'Image', 'Flavor'];
  return renderNovaTable(
    titles.map((title) => ({ title })),
    views.map((view) => [
      shorten(view.record?.uuid ?? '-'),
      view.record?.displayName ?? '-',
      view.status,
      renderNetworks(view),
      view.domainName,
      view.record?.image.name ?? '-',
      view.record?.flavor.name ?? '-',
    ]),
  );
}
