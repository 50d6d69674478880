/** One extent line of a VMDK descriptor: `RW 20480 SPARSE "disk.vmdk"`. Sizes in sectors of 512 bytes. */
interface VmdkExtent {
  readonly sectors: number;
  readonly type: string;
  readonly fileName: string | undefined;
}

/** A VMDK descriptor as far as it matters here. Keys are in lower case: VMware ignores case. */
export interface VmdkDescriptor {
  readonly fields: ReadonlyMap<string, string>;
  readonly extents: readonly VmdkExtent[];
  /** The first line that is neither comment nor field nor extent, or that gives a field again. */
  readonly strangeLine: string | undefined;
}

const extentLine = /^(RW|RDONLY|NOACCESS)\s+(\d+)\s+(\w+)(?:\s+"([^"]*)"\s*(\d*))?/i;

/**
 * Parses a descriptor, the text that ends at the first zero byte: VMware's "Virtual Disk Format" 5.0,
 * section "The Descriptor File". Lines are separated by LF or CR LF.
 */
export function parseVmdkDescriptor(text: string): VmdkDescriptor {
  const fields = new Map<string, string>();
  const extents: VmdkExtent[] = [];
  let strangeLine: string | undefined;
  for (const line of text.split('\n').map((each) => each.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const extent = extentLine.exec(line);
    if (extent) {
      extents.push({
        sectors: Number(extent[2]),
        type: (extent[3] ?? '').toUpperCase(),
        fileName: extent[4],
      });
      continue;
    }
    const equals = line.indexOf('=');
    const key = line.slice(0, Math.max(0, equals)).trim().toLowerCase();
    if (!/^[\w.:-]+$/.test(key) || fields.has(key)) {
      strangeLine ??= line;
      continue;
    }
    fields.set(
      key,
      line
        .slice(equals + 1)
        .trim()
        .replace(/^"(.*)"$/, '$1'),
    );
  }
  return { fields, extents, strangeLine };
}
