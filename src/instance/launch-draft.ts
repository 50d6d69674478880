import { randomBytes, randomUUID } from 'node:crypto';
import { loadTemplate, type Template } from '../domain/template.js';
import { chooseBaseFormat } from '../disk/probe-storage.js';
import { getFlavor } from '../flavor/flavor-store.js';
import type { Work } from '../host/work.js';
import type { ImageRecord } from '../image/image-record.js';
import type { Host } from './open-host.js';
import { planLaunch, type LaunchPlan, type LaunchRequest } from './plan-launch.js';
import { chooseVirtType, readKvmFacts } from './virt-type.js';

const defaultFlavor = 'm1.small';

/** All facts of a launch but the number, which is given out only when nothing can be refused any more. */
export interface LaunchDraft {
  readonly template: Template;
  plan(domainName: string): LaunchPlan;
}

/**
 * Reads what the plan is made of; changes nothing.
 *
 * @param findImage may bring the image first; asked when nothing else can be refused any more
 */
export async function draftLaunch(
  host: Host,
  request: LaunchRequest,
  work: Work,
  findImage: () => Promise<ImageRecord>,
): Promise<LaunchDraft> {
  const flavor = await getFlavor(host.home, request.flavor ?? defaultFlavor);
  const template = await loadTemplate(request.template ?? 'linux', {
    templatesDirectory: host.templatesDirectory,
  });
  const image = await findImage();
  const kvm = await readKvmFacts();
  if (kvm.rootOnly) {
    work.onEvent?.({
      type: 'notice',
      message:
        'only root may open /dev/kvm, so libvirt probes QEMU anew at each call; cure:  chgrp kvm /dev/kvm && chmod 660 /dev/kvm',
    });
  }
  const chosen = chooseVirtType(request.virtType ?? 'auto', kvm);
  if (chosen.reason !== undefined) {
    work.onEvent?.({
      type: 'notice',
      message: `${chosen.reason}: emulating (virt type qemu), many times slower`,
    });
  }
  const baseFormat = request.baseFormat ?? (await chooseBaseFormat(host.home.bases));
  const uuid = randomUUID();
  const macAddress = newMacAddress();
  return {
    template,
    plan: (domainName) =>
      planLaunch(
        { ...request, baseFormat },
        { image, flavor, virtType: chosen.virtType, domainName, uuid, macAddress },
      ),
  };
}

/** In QEMU's range, as libvirt makes them. */
function newMacAddress(): string {
  return ['52', '54', '00', ...[...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, '0'))].join(
    ':',
  );
}
