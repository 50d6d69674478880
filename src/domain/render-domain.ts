import { LaunchError } from '../host/launch-error.js';
import type { DomainSpec } from './domain-spec.js';
import { ensureChild, insertChild, removeChildren, replaceChildren, replaceText } from './edit-xml.js';
import { isOurMetadata, renderMetadata } from './launch-metadata.js';
import { readTemplate } from './read-template.js';
import { setConsoleLog, setRootDisk, setSeedDisk } from './render-devices.js';
import { setInterfaces } from './render-interfaces.js';
import { setCpu, setFeatures, setTimers } from './render-virt-type.js';
import { createElement, listElements, textOf, type XmlElement } from './xml-element.js';
import { writeXml } from './write-xml.js';

/**
 * The domain XML of one instance: the template with what distinguishes this instance set in its tree, and
 * what the template misses made. The same input gives the same text. Comments and the template's own
 * description are dropped.
 * @throws LaunchError TEMPLATE_INVALID; NAME_INVALID when a value holds a character that XML cannot carry
 */
export function renderDomain(templateXml: string, spec: DomainSpec): string {
  refuseControlCharacters(spec);
  const domain = readTemplate(templateXml);
  domain.attributes.set('type', spec.virtType);
  // The number of a running domain, if the template is the XML of one.
  domain.attributes.delete('id');
  removeChildren(domain, 'description');
  replaceText(domain, 'name', spec.name);
  replaceText(domain, 'uuid', spec.uuid);
  replaceText(domain, 'title', spec.metadata.displayName);
  setMetadata(domain, spec);
  setMemory(domain, spec.memoryMib);
  setVcpus(domain, spec.vcpus);
  setSysinfo(domain, spec);
  setMachine(domain, spec.machineType);
  setFeatures(domain, spec.virtType);
  setCpu(domain, spec.cpuMode, spec.vcpus);
  setTimers(domain, spec.virtType);
  const devices = ensureChild(domain, 'devices');
  setRootDisk(devices, spec.rootDisk);
  setSeedDisk(devices, spec.seed);
  setInterfaces(domain, devices, spec.interfaces);
  setConsoleLog(devices, spec.consoleLogPath);
  return writeXml(domain);
}

/** @throws LaunchError NAME_INVALID */
function refuseControlCharacters(value: unknown, field = ''): void {
  if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      refuseControlCharacters(inner, field === '' ? key : `${field}.${key}`);
    }
  }
  // Line breaks too: XML carries them in text, but libvirt refuses them in a title, and an attribute loses them.
  if (typeof value === 'string' && /[\p{Cc}\p{Cs}\uFFFE\uFFFF]/u.test(value)) {
    throw new LaunchError(
      'NAME_INVALID',
      `cannot describe the domain: ${field} ${JSON.stringify(value)} holds a control character`,
      { hint: 'names and paths are text on one line', details: { field } },
    );
  }
}

function setMetadata(domain: XmlElement, spec: DomainSpec): void {
  const metadata = ensureChild(domain, 'metadata');
  metadata.children = listElements(metadata).filter((element) => !isOurMetadata(element, metadata, domain));
  insertChild(metadata, renderMetadata(spec.metadata));
}

function setMemory(domain: XmlElement, memoryMib: number): void {
  // A template's own currentMemory would be the balloon's target, less or even more than this.
  removeChildren(domain, 'currentMemory');
  const memory = createElement('memory', { unit: 'KiB' }, String(memoryMib * 1024));
  replaceChildren(domain, memory);
}

function setVcpus(domain: XmlElement, count: number): void {
  // The list of single vCPUs would have to have as many entries.
  removeChildren(domain, 'vcpus');
  const vcpu = ensureChild(domain, 'vcpu');
  vcpu.attributes.delete('current');
  vcpu.children = [String(count)];
}

function setSysinfo(domain: XmlElement, spec: DomainSpec): void {
  const sysinfo = ensureSmbios(domain);
  const system = ensureChild(sysinfo, 'system');
  const defaults = { manufacturer: 'launch', product: 'launch' };
  for (const [name, value] of Object.entries(defaults)) {
    if (!listElements(system, 'entry').some((entry) => entry.attributes.get('name') === name)) {
      insertChild(system, createElement('entry', { name }, value));
    }
  }
  // libvirt refuses a uuid here that is not the domain's.
  for (const [name, value] of Object.entries({ serial: serialOf(spec), uuid: spec.uuid })) {
    system.children = listElements(system).filter((entry) => entry.attributes.get('name') !== name);
    insertChild(system, createElement('entry', { name }, value));
  }
}

/**
 * The serial number by which cloud-init knows a NoCloud seed without looking for others first. It then applies
 * the seed before the network is up, unless the serial number says otherwise.
 */
function serialOf({ seed, uuid }: DomainSpec): string {
  if (seed?.kind !== 'nocloud') return uuid;
  return seed.needsNetwork ? 'ds=nocloud;dsmode=net' : 'ds=nocloud';
}

function ensureSmbios(domain: XmlElement): XmlElement {
  const found = listElements(domain, 'sysinfo').find((each) => each.attributes.get('type') === 'smbios');
  return found ?? insertChild(domain, createElement('sysinfo', { type: 'smbios' }));
}

function setMachine(domain: XmlElement, machineType: string | undefined): void {
  const os = ensureChild(domain, 'os');
  const type = ensureChild(os, 'type');
  type.children = [textOf(type)?.trim() ?? 'hvm'];
  if (machineType !== undefined) type.attributes.set('machine', machineType);
  ensureChild(os, 'smbios').attributes.set('mode', 'sysinfo');
}
