const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const;

/**
 * Bytes for people: `241 MiB`, `1.5 GiB`, `512 B`. Rounded up, as `ls -h` and `du -h` do, so that what is
 * shown is always enough: 251985920 bytes are `241 MiB`. One decimal below 10 when it is not whole.
 */
export function formatBytes(bytes: number): string {
  let unit = 0;
  let scale = 1;
  // In whole units first: 1 GiB less one byte is "1 GiB", never "1024 MiB".
  while (Math.ceil(bytes / scale) >= 1024 && unit < byteUnits.length - 1) {
    unit += 1;
    scale *= 1024;
  }
  const tenths = Math.ceil((bytes * 10) / scale);
  const amount = unit > 0 && tenths < 100 ? tenths / 10 : Math.ceil(bytes / scale);
  return `${amount} ${byteUnits[unit] ?? ''}`;
}

export const bytesPerGib = 1024 ** 3;

/** Words for how many: `1 domain`, `3 domains`. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`;
}
