import { formatBytes } from '../host/units.js';
import type { ImageInspection } from '../instance/images/image-verbs.js';
import type { ChainReport, DiskReport, DomainInspection } from '../instance/inspect-domain.js';
import { escapeControls } from './terminal/escape.js';
import { renderDomblklist } from './terminal/table.js';
import { formatAge, formatPercent } from './terminal/units.js';

/** First domblklist's table, then each disk with its backing chain. */
export function renderDomainInspection(inspection: DomainInspection, now: Date): string {
  const { domain, instance, disks } = inspection;
  const head = [
    escapeControls(domain.name),
    ...(instance === undefined ? ['not made by launch'] : [escapeControls(instance.displayName)]),
    domain.state,
    inspection.virtType ?? '',
    ...(instance === undefined ? [] : [instance.flavor.name]),
  ];
  return [
    `${head.filter((part) => part !== '').join('  ')}\n\n`,
    renderDomblklist(disks),
    ...disks.map((disk) => renderDisk(disk, now)),
  ].join('');
}

function renderDisk(disk: DiskReport, now: Date): string {
  const [top] = disk.chain;
  if (top === undefined) return '';
  const lines = [`${escapeControls(disk.target).padEnd(6)}${describeTop(disk, top)}`];
  for (const [index, link] of disk.chain.entries()) {
    const last = index === disk.chain.length - 1;
    const branch = last ? '└─' : '├─';
    const rail = last ? '  ' : '│ ';
    const role = disk.chain.length > 1 && !last ? 'overlay' : disk.chain.length > 1 ? 'base' : 'file';
    const [first, ...rest] = describeLink(link, index === 0 ? disk : undefined, now);
    lines.push(`${branch} ${role.padEnd(8)} ${escapeControls(link.format).padEnd(6)} ${first ?? ''}`);
    for (const line of rest) lines.push(`${rail}          ${line}`);
  }
  return `${lines.join('\n')}\n\n`;
}

function describeTop(disk: DiskReport, top: ChainReport): string {
  const size = top.virtualSizeBytes === undefined ? '' : `${formatBytes(top.virtualSizeBytes)} virtual, `;
  const type = disk.driverType === undefined ? 'raw (none written)' : escapeControls(disk.driverType);
  switch (disk.driverTypeMatches) {
    case true:
      return `${size}driver type ${type} (matches the file)`;
    case false:
      return `${size}driver type ${type}, BUT THE FILE IS ${top.detectedFormat ?? 'unknown'}`;
    case undefined:
      return `${size}driver type ${type}`;
  }
}

function describeLink(link: ChainReport, disk: DiskReport | undefined, now: Date): readonly string[] {
  const facts: string[] = [];
  if (link.problem !== undefined)
    return [`cannot be read: ${escapeControls(link.problem)}`, escapeControls(link.path)];
  facts.push(describeAllocation(link));
  if (link.clusterSizeBytes !== undefined) facts.push(`clusters of ${formatBytes(link.clusterSizeBytes)}`);
  if (link.sharedWith.length > 0) facts.push(`shared with ${shortList(link.sharedWith)}`);
  else facts.push('its own');
  const lines = [facts.join(', ')];
  const overlap = disk?.overlap;
  if (overlap !== undefined && overlap.baseDataBytes > 0) {
    lines.push(
      `${formatPercent(overlap.writtenOverBytes / overlap.baseDataBytes)} of the base's data written over`,
    );
  }
  lines.push(escapeControls(link.path));
  if (link.base !== undefined) {
    const age = formatAge(now.getTime() - Date.parse(link.base.verifiedAt));
    lines.push(`from image ${link.base.imageId}, digest verified ${age}`);
  }
  return lines;
}

function describeAllocation(link: ChainReport): string {
  const used = `${formatBytes(link.allocatedBytes ?? 0)} on disk`;
  return link.format === 'raw' && link.virtualSizeBytes !== undefined
    ? `${used} of ${formatBytes(link.virtualSizeBytes)}`
    : used;
}

const listedNames = 4;

function shortList(names: readonly string[]): string {
  const shown = names.slice(0, listedNames).map(escapeControls).join(', ');
  return names.length > listedNames ? `${shown} and ${names.length - listedNames} more` : shown;
}

/** An image, its bases, and who is on each. */
export function renderImageInspection(inspection: ImageInspection, now: Date): string {
  const { image, bases } = inspection;
  const lines = [
    `${escapeControls(image.name)}  ${image.id}`,
    '',
    `file  ${image.format}, ${formatBytes(image.virtualSizeBytes)} virtual, ${formatBytes(image.sizeBytes)} as imported`,
    `      ${inspection.path}`,
    `      sha256 ${image.sha256}`,
    '',
  ];
  if (bases.length === 0) lines.push('no base yet: the first launch makes it', '');
  for (const base of bases) {
    const size = `${formatBytes(base.allocatedBytes)} on disk of ${formatBytes(base.virtualSizeBytes)}`;
    const age = formatAge(now.getTime() - Date.parse(base.verifiedAt));
    lines.push(
      `base  ${base.format ?? 'raw'}, ${size}, ${base.made}, digest verified ${age}`,
      `      ${base.path}`,
      base.usedBy.length === 0
        ? '      nothing is on it'
        : `      used by ${base.usedBy.map(escapeControls).join(', ')}`,
      '',
    );
  }
  return lines.join('\n');
}
