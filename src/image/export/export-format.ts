import { diskFormats, type DiskFormat } from '../../qemu-img/disk-format.js';

/** What an image can be exported as: a disk's format, or a Vagrant box for libvirt. */
export const exportFormats = [...diskFormats, 'box'] as const;

export type ExportFormat = (typeof exportFormats)[number];

export function isExportFormat(text: string): text is ExportFormat {
  return (exportFormats as readonly string[]).includes(text);
}

/** What files of a format are called, the usual ending first. `img` says nothing. */
const endings: Readonly<Record<ExportFormat, readonly [string, ...string[]]>> = {
  raw: ['raw'],
  qcow2: ['qcow2'],
  vmdk: ['vmdk'],
  vdi: ['vdi'],
  vpc: ['vhd', 'vpc'],
  vhdx: ['vhdx'],
  box: ['box'],
};

export function endingOf(format: ExportFormat): string {
  return endings[format][0];
}

/** What the name of a file says that it is; undefined when it says nothing. */
export function formatOfName(fileName: string): ExportFormat | undefined {
  const ending = /\.([^./]+)$/.exec(fileName)?.[1]?.toLowerCase();
  return exportFormats.find((format) => ending !== undefined && endings[format].includes(ending));
}

interface Conversion {
  /** qemu-img's `-o`. */
  readonly creation?: string;
  readonly compressed?: boolean;
}

/**
 * How qemu-img writes a format, without and with compression; undefined where it cannot compress.
 *
 * A VHD of default geometry rounds its size up to whole cylinders, so a guest would see another disk:
 * force_size keeps it (QEMU 2.1).
 */
export const conversions: Readonly<
  Record<DiskFormat, { readonly plain: Conversion; readonly compressed: Conversion | undefined }>
> = {
  raw: { plain: {}, compressed: undefined },
  qcow2: { plain: {}, compressed: { compressed: true } },
  // The one VMDK with compressed grains; VMware calls it the format for transport.
  vmdk: { plain: {}, compressed: { compressed: true, creation: 'subformat=streamOptimized' } },
  vdi: { plain: {}, compressed: undefined },
  vpc: { plain: { creation: 'force_size=on' }, compressed: undefined },
  vhdx: { plain: {}, compressed: undefined },
};
