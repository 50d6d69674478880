import { execa } from 'execa';

/** The XML of a disk of somebody else's domain; `inner` goes in as it is. */
export function diskXml(path: string, driverType: string, target = 'vda', inner = ''): string {
  return `<disk type="file" device="disk"><driver name="qemu" type="${driverType}"/><source file="${path}"/>${inner}<target dev="${target}" bus="virtio"/></disk>`;
}

/** The XML of a domain that `launch` did not make. */
export function foreignDomainXml(
  name: string,
  disks: readonly string[],
  options: { readonly uuid?: string } = {},
): string {
  const uuid = options.uuid === undefined ? '' : `<uuid>${options.uuid}</uuid>`;
  return `<domain type="qemu"><name>${name}</name>${uuid}<memory unit="MiB">32</memory><os><type>hvm</type></os><devices>${disks.join('')}</devices></domain>`;
}

/** A qcow2 on a backing file, as somebody else may make it. */
export async function makeOverlay(
  path: string,
  backingPath: string,
  options: { readonly format?: string; readonly virtualSize?: string } = {},
): Promise<string> {
  // With a size, the backing file is not opened.
  const unsafe = options.virtualSize === undefined ? [] : ['-u'];
  const size = options.virtualSize === undefined ? [] : [options.virtualSize];
  await execa('qemu-img', [
    ...[
      'create',
      '-q',
      '-f',
      'qcow2',
      ...unsafe,
      '-b',
      backingPath,
      '-F',
      options.format ?? 'raw',
      path,
      ...size,
    ],
  ]);
  return path;
}
