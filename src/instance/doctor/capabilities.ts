import { readXml } from '../../domain/read-xml.js';
import { attributeOf, findElement, listElements, textOf } from '../../domain/xml-element.js';

/** What `virsh capabilities` tells that a check needs. */
export interface Capabilities {
  readonly arch: string | undefined;
  /** In force, in libvirt's words: `dac`, `apparmor`, `selinux`. */
  readonly securityModels: readonly string[];
  /** Whom QEMU runs as; undefined where it runs as whoever started it, as for qemu:///session. */
  readonly qemuUser: { readonly uid: number; readonly gid: number } | undefined;
  /** Of the host's own architecture. */
  readonly emulatorPath: string | undefined;
  /** Aliases and canonical names. */
  readonly machineTypes: readonly string[];
  readonly virtTypes: readonly string[];
}

export function parseCapabilities(xml: string): Capabilities {
  const root = readXml(xml);
  const host = findElement(root, 'host');
  const arch = textOf(findElement(host, 'cpu', 'arch'));
  const models = listElements(host, 'secmodel');
  const nameOf = (model: (typeof models)[number]) => textOf(findElement(model, 'model')) ?? '';
  const label = models
    .filter((model) => nameOf(model) === 'dac')
    .flatMap((model) => listElements(model, 'baselabel'))
    .map((element) => /^\+(\d+):\+(\d+)$/.exec(textOf(element) ?? ''))
    .find((match) => match !== null);
  const guest = listElements(root, 'guest')
    .filter((element) => textOf(findElement(element, 'os_type')) === 'hvm')
    .map((element) => findElement(element, 'arch'))
    .find((element) => attributeOf(element, 'name') === arch);
  const machines = [guest, ...listElements(guest, 'domain')].flatMap((element) =>
    listElements(element, 'machine'),
  );
  return {
    arch,
    securityModels: models.map(nameOf).filter((name) => name !== '' && name !== 'none'),
    qemuUser: label ? { uid: Number(label[1]), gid: Number(label[2]) } : undefined,
    emulatorPath: textOf(findElement(guest, 'emulator')),
    machineTypes: [
      ...new Set(
        machines
          .flatMap((element) => [textOf(element), attributeOf(element, 'canonical')])
          .filter((name) => name !== undefined),
      ),
    ],
    virtTypes: listElements(guest, 'domain').flatMap((element) => attributeOf(element, 'type') ?? []),
  };
}
