import { count, formatBytes } from '../host/units.js';
import type { BaseFinding, BaseReport } from '../instance/bases/base-verbs.js';
import type { StorageItem, StorageKind, StorageReport } from '../instance/bases/measure-storage.js';
import type { PrunedBase, PruneReport } from '../instance/bases/prune-bases.js';
import type { PruneRule } from '../disk/plan-prune.js';
import { cutToWidth, padToWidth } from './terminal/display-width.js';
import { escapeControls } from './terminal/escape.js';
import { renderNovaTable } from './terminal/table.js';
import { formatAge } from './terminal/units.js';

const nameColumns = 24;
const listedNames = 3;

/** `06a057b9…_20`: what is left out says nothing to people. */
function shortBase(name: string): string {
  return `${name.slice(0, 8)}…${name.slice(40)}`;
}

function imageOf({ image }: BaseReport): string {
  return image === undefined ? '(image gone)' : cutToWidth(escapeControls(image.name), nameColumns);
}

/** Names as they are shown, with the start of the id where several things have one name. */
function tellApart(
  things: readonly { readonly id: string; readonly name: string }[],
): (thing: { readonly id: string; readonly name: string }) => string {
  const idsOf = new Map<string, Set<string>>();
  for (const { id, name } of things) idsOf.set(name, (idsOf.get(name) ?? new Set()).add(id));
  return ({ id, name }) => {
    const shown = cutToWidth(escapeControls(name), nameColumns);
    return (idsOf.get(name)?.size ?? 0) > 1 ? `${shown} (${id.slice(0, 8)})` : shown;
  };
}

function ageOf(time: string, now: Date): string {
  return formatAge(now.getTime() - Date.parse(time));
}

export function renderBases(bases: readonly BaseReport[], now: Date): string {
  const nameOf = tellApart(bases.flatMap(({ image }) => (image === undefined ? [] : [image])));
  return renderNovaTable(
    [
      { title: 'Base' },
      { title: 'Image' },
      { title: 'Virtual', align: 'right' },
      { title: 'On disk', align: 'right' },
      { title: 'Users', align: 'right' },
      { title: 'Last used' },
      { title: 'Verified' },
    ],
    bases.map((base) => [
      shortBase(base.name),
      base.image === undefined ? imageOf(base) : nameOf(base.image),
      formatBytes(base.virtualSizeBytes),
      formatBytes(base.allocatedBytes),
      `${base.usedBy.length}`,
      ageOf(base.lastUsedAt, now),
      base.problem !== undefined
        ? 'NO RECORD'
        : base.verifiedAt === undefined
          ? 'not yet'
          : ageOf(base.verifiedAt, now),
    ]),
  );
}

export function renderFindings(findings: readonly BaseFinding[]): string {
  return findings
    .map(({ base, sound, problem, expectedDigest, foundDigest }) => {
      const head = `${shortBase(base.name)}  ${imageOf(base)}  ${formatBytes(base.allocatedBytes)}`;
      if (sound) return `${head}  sound\n`;
      const digests =
        foundDigest === undefined
          ? ''
          : `  recorded  ${expectedDigest ?? 'none'}\n  found     ${foundDigest}\n`;
      const users = base.usedBy.length === 0 ? '' : `  used by ${shortList(base.usedBy)}\n`;
      return `${head}  CHANGED\n  ${escapeControls(problem ?? '')}\n${digests}${users}`;
    })
    .join('');
}

export function renderPrune(report: PruneReport, rule: PruneRule, now: Date): string {
  const width = Math.max(...report.bases.map(({ name }) => shortBase(name).length));
  const lines = report.bases.map((base) => {
    const verb = base.removed ? (report.dryRun ? 'would go' : 'gone') : 'stays';
    return `${padToWidth(shortBase(base.name), width)}  ${padToWidth(imageOf(base), 16)}  ${formatBytes(base.allocatedBytes).padStart(8)}  ${verb.padEnd(8)}  ${reasonOf(base, rule, now)}\n`;
  });
  const sum = `${report.dryRun ? 'would free' : 'freed'} ${formatBytes(report.removedBytes)} (${report.removedBytes} bytes); ${formatBytes(report.freeBytes)} are free${report.dryRun ? ' now' : ''}\n`;
  return [...lines, sum, shortfall(report, rule)].join('');
}

/** What is missing to what was to be kept free; the bases that stay are in use, or recent. */
function shortfall(report: PruneReport, { keepFreeBytes = 0 }: PruneRule): string {
  const freeBytes = report.freeBytes + (report.dryRun ? report.removedBytes : 0);
  if (freeBytes >= keepFreeBytes) return '';
  const bytes = keepFreeBytes - freeBytes;
  return `that is ${formatBytes(bytes)} (${bytes} bytes) less than ${formatBytes(keepFreeBytes)}: see where the space is:  launch df\n`;
}

function reasonOf(base: PrunedBase, rule: PruneRule, now: Date): string {
  const age = `last used ${ageOf(base.lastUsedAt, now)}`;
  switch (base.reason) {
    case 'used':
      return base.usedBy.length === 0 ? 'in use since a moment ago' : `used by ${shortList(base.usedBy)}`;
    case 'recent':
      return `${age}, which is not long enough`;
    case 'enough-free':
      return `${formatBytes(rule.keepFreeBytes ?? 0)} are free without it`;
    case 'busy':
      return 'in use by another command, perhaps a launch';
    case 'unused':
      return `nothing is on it, ${age}${base.image === undefined ? '' : '; the image is kept'}`;
  }
}

function shortList(names: readonly string[]): string {
  const shown = names.slice(0, listedNames).map(escapeControls).join(', ');
  return names.length > listedNames ? `${shown} and ${names.length - listedNames} more` : shown;
}

/** With what one of them is called, and several. */
const kinds: readonly (readonly [StorageKind, string, string])[] = [
  ['image', 'image', 'images'],
  ['base', 'base', 'bases'],
  ['overlay', 'overlay', 'overlays'],
  ['copy', 'raw copy', 'raw copies'],
  ['damaged', 'damaged', 'damaged'],
];

/** A table of all things, the largest of a kind first, sums below it. */
export function renderStorage(report: StorageReport): string {
  const nameOf = tellApart(report.items.filter(({ kind }) => kind === 'image'));
  const rows = kinds.flatMap(([kind]) =>
    report.items
      .filter((item) => item.kind === kind)
      .sort((a, b) => b.allocatedBytes - a.allocatedBytes)
      .map((item) => [
        kind,
        kind === 'image' ? nameOf(item) : cutToWidth(escapeControls(item.name), nameColumns),
        item.virtualSizeBytes === undefined ? '?' : formatBytes(item.virtualSizeBytes),
        formatBytes(item.allocatedBytes),
        item.givesBackBytes === undefined ? '?' : formatBytes(item.givesBackBytes),
        afterwards(item),
      ]),
  );
  const table = renderNovaTable(
    [
      { title: 'What' },
      { title: 'Name' },
      { title: 'Virtual', align: 'right' },
      { title: 'On disk', align: 'right' },
      { title: 'Gives back', align: 'right' },
      { title: 'To delete' },
    ],
    rows,
  );
  return `${rows.length === 0 ? '' : table}${sumsOf(report)}`;
}

function afterwards(item: StorageItem): string {
  if (item.usedBy.length > 0) return `first delete its ${count(item.usedBy.length, 'user')}`;
  switch (item.kind) {
    case 'image':
      return 'image remove';
    case 'base':
      return 'base prune';
    case 'overlay':
    case 'copy':
    case 'damaged':
      return `delete ${item.id}`;
  }
}

function sumsOf(report: StorageReport): string {
  const sums = kinds.flatMap(([kind, one, several]) => {
    const items = report.items.filter((item) => item.kind === kind);
    const bytes = items.reduce((sum, { allocatedBytes }) => sum + allocatedBytes, 0);
    return items.length === 0 ? [] : [`${count(items.length, one, several)} ${formatBytes(bytes)}`];
  });
  const shared =
    report.sharedBytes === undefined
      ? 'files share blocks here, and filefrag does not tell which'
      : report.sharedBytes === 0
        ? 'no blocks are shared between files'
        : `${formatBytes(report.sharedBytes)} are shared between files, counted once`;
  const total = report.usedBytes === undefined ? 'unknown' : formatBytes(report.usedBytes);
  return [
    sums.length === 0 ? 'nothing is kept yet' : sums.join(', '),
    `together ${total}; ${shared}`,
    `${report.fileSystem} of ${report.directory}: ${formatBytes(report.freeBytes)} free of ${formatBytes(report.totalBytes)}`,
    '',
  ].join('\n');
}
