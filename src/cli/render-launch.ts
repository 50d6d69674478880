import { LaunchError } from '../host/launch-error.js';
import { formatBytes } from '../host/units.js';
import type { LaunchedInstance, LaunchPreview } from '../instance/launch-instance.js';
import type { FailedLaunch, LaunchedMany } from '../instance/launch-many.js';
import { describeInterfaces } from './render-interface.js';
import { escapeControls } from './terminal/escape.js';
import { renderNovaTable } from './terminal/table.js';

/** One object: the record, where its files are, and what the wait found. */
export function launchedAsJson({ instance, ...found }: LaunchedInstance): object {
  return { ...instance, ...found };
}

export function renderLaunched({ instance, diskPath, basePath }: LaunchedInstance): string {
  return [
    `${instance.domainName}  ${escapeControls(instance.displayName)}  ${instance.uuid}`,
    `  disk  ${diskPath}`,
    `  base  ${instance.disk.base === null ? `${basePath} (copied)` : basePath}`,
    `  next  launch ${instance.interfaces.length === 0 ? 'console' : 'ssh'} ${instance.domainName}`,
    '',
  ].join('\n');
}

export function manyAsJson({ launched, failed }: LaunchedMany): object {
  return {
    launched: launched.map(launchedAsJson),
    failed: failed.map(({ number, name, error }) => {
      const { code, message, hint, details } = error;
      return { number, name, code, message, hint, details };
    }),
  };
}

export function renderMany({ launched }: LaunchedMany): string {
  return renderNovaTable(
    [{ title: 'ID' }, { title: 'Name' }, { title: 'Domain' }, { title: 'Address' }],
    launched.map(({ instance, addresses }) => [
      instance.uuid,
      instance.displayName,
      instance.domainName,
      addresses[0]?.address ?? '',
    ]),
  );
}

/** The one error of several launches: how many failed, and of each different reason one. */
export function manyFailed({ launched, failed }: LaunchedMany, first: FailedLaunch): LaunchError {
  const count = launched.length + failed.length;
  const reasons = new Map(
    failed.map(({ name, number, error }) => [error.message, name ?? `number ${number}`]),
  );
  return new LaunchError(
    first.error.code,
    `${failed.length} of ${count} launches failed: ${first.error.message}`,
    {
      hint: [
        ...[...reasons].slice(1, 6).map(([message, name]) => `${name}: ${message}`),
        ...(first.error.hint === undefined ? [] : [first.error.hint]),
      ].join('\n'),
      cause: first.error,
      details: { failed: failed.map(({ number, name, error }) => ({ number, name, code: error.code })) },
    },
  );
}

export function renderPreview(preview: LaunchPreview): string {
  const { plan } = preview;
  const { memoryMib, vcpus, name } = plan.flavor;
  const format = plan.disk.kind === 'overlay' ? 'qcow2 overlay' : 'raw copy';
  const rows = [
    ['image', `${escapeControls(plan.image.name)} (${plan.image.id}), ${plan.image.format}`],
    ['flavor', `${name}: ${formatBytes(memoryMib * 1024 ** 2)} memory, ${vcpus} vCPU`],
    ['base', `${preview.basePath}${preview.baseExists ? ' (there already)' : ' (would be made)'}`],
    ['disk', `${preview.diskPath}, ${format}, ${formatBytes(plan.disk.virtualSizeBytes)}`],
    ['domain', `${plan.domainName}, ${plan.virtType}, template ${plan.template}`],
    ['seed', plan.seed === undefined ? 'none' : `${plan.seed.kind}, host name ${plan.seed.hostname}`],
    ...describeInterfaces(plan.interfaces).map((text) => ['network', text] as const),
  ] as const;
  const plain = rows.map(([key, value]) => `${key.padEnd(9)}${value}\n`).join('');
  return `${plain}\n${preview.domainXml.trimEnd()}\n`;
}
