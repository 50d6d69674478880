import type { CpuMode, VirtType } from './domain-spec.js';
import { ensureChild, insertChild, removeChildren } from './edit-xml.js';
import { createElement, findElement, listElements, type XmlElement } from './xml-element.js';

// Under emulation QEMU refuses some of them: "kernel doesn't allow setting HyperV VP_INDEX".
const kvmFeatures = ['hyperv', 'kvm', 'pvspinlock'];
const kvmTimers = ['pit', 'rtc', 'hpet', 'kvmclock', 'hypervclock'];

/** What belongs to one kind of virtualization only goes with it; emulation gets a smaller cache. */
export function setFeatures(domain: XmlElement, virtType: VirtType): void {
  if (virtType === 'kvm') {
    removeChildren(findElement(domain, 'features'), 'tcg');
    return;
  }
  const features = ensureChild(domain, 'features');
  removeChildren(features, ...kvmFeatures);
  if (findElement(features, 'tcg') !== undefined) return;
  // QEMU's own choice is a gigabyte or more of translated code for each guest, at no more speed.
  insertChild(features, createElement('tcg', {}, createElement('tb-cache', { unit: 'MiB' }, '64')));
}

export function setTimers(domain: XmlElement, virtType: VirtType): void {
  const clock = findElement(domain, 'clock');
  if (virtType === 'kvm' || clock === undefined) return;
  clock.children = listElements(clock).filter((child) => {
    return child.name !== 'timer' || !kvmTimers.includes(child.attributes.get('name') ?? '');
  });
}

/**
 * The mode is the instance's; features and topology are the template's, the latter with all vCPUs as
 * cores of one socket, since libvirt refuses a topology that does not come to their number.
 */
export function setCpu(domain: XmlElement, mode: CpuMode, vcpus: number): void {
  const cpu = ensureChild(domain, 'cpu');
  cpu.attributes.clear();
  // What `default` leaves out libvirt does not take without a mode or a model.
  removeChildren(cpu, 'model', 'vendor', ...(mode === 'default' ? ['cache', 'feature', 'maxphysaddr'] : []));
  for (const [name, value] of Object.entries(attributesOfMode(mode))) cpu.attributes.set(name, value);
  const topology = findElement(cpu, 'topology');
  if (topology !== undefined) {
    topology.attributes.clear();
    topology.attributes.set('sockets', '1').set('cores', String(vcpus)).set('threads', '1');
  }
  if (mode === 'default' && cpu.children.length === 0) removeChildren(domain, 'cpu');
}

function attributesOfMode(mode: CpuMode): Readonly<Record<string, string>> {
  switch (mode) {
    case 'host-passthrough':
      return { mode, check: 'none', migratable: 'on' };
    case 'host-model':
      return { mode, check: 'partial' };
    case 'maximum':
      return { mode, check: 'none', migratable: 'on' };
    case 'default':
      return {};
  }
}
