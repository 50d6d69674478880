/** QEMU's names of the formats that `launch` imports; `vpc` is VHD. */
export const diskFormats = ['raw', 'qcow2', 'vmdk', 'vdi', 'vpc', 'vhdx'] as const;

export type DiskFormat = (typeof diskFormats)[number];

export function isDiskFormat(text: string): text is DiskFormat {
  return (diskFormats as readonly string[]).includes(text);
}
