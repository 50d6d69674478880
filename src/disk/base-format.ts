/** Formats that a base can be kept in: raw as Nova does, or qcow2 without a backing file. */
export const baseFormats = ['raw', 'qcow2'] as const;

export type BaseFormat = (typeof baseFormats)[number];
