import { randomUUID } from 'node:crypto';
import { loadTemplate, type Template } from '../domain/template.js';
import { chooseBaseFormat } from '../disk/probe-storage.js';
import { getFlavor } from '../flavor/flavor-store.js';
import { timed, type Work } from '../host/work.js';
import type { ImageRecord } from '../image/image-record.js';
import { boxKeyFile } from './login/box-login.js';
import { defaultNetworkOf, macAddressOf } from './networks/launch-networks.js';
import { draftSeed, type SeedDraft } from './seed/launch-seed.js';
import type { Host } from './open-host.js';
import { planLaunch, type LaunchPlan, type LaunchRequest } from './plan-launch.js';
import { chooseVirtType, readKvmFacts } from './virt-type.js';

const defaultFlavor = 'm1.small';

/** All facts of a launch but the number, which is given out only when nothing can be refused any more. */
export interface LaunchDraft {
  readonly template: Template;
  readonly seed: SeedDraft | undefined;
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
  const seed = await timed(work, 'read what the seed is made of', () =>
    draftSeed(host, request.seed ?? {}, work),
  );
  const image = await timed(work, 'find the image', findImage);
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
  const defaultNetwork = defaultNetworkOf(host.hypervisor.uri);
  const keyFile = boxKeyFile(host.home, image, request.seed);
  const macAddresses = (request.networks ?? [defaultNetwork]).map((one) => macAddressOf(host, one));
  return {
    template,
    seed,
    plan: (domainName) =>
      planLaunch(
        { ...request, baseFormat },
        {
          image,
          flavor,
          seed: seed?.facts,
          boxKeyFile: keyFile,
          virtType: chosen.virtType,
          domainName,
          uuid,
          macAddresses,
          defaultNetwork,
        },
      ),
  };
}
