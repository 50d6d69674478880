import { rename, writeFile } from 'node:fs/promises';
import type { BaseOrigin } from '../disk/base-origin.js';
import { ensureBase, type EnsuredBase } from '../disk/ensure-base.js';
import { baseFormatOf, type BaseRecord } from '../disk/base-record.js';
import { settleBase } from '../disk/settle-base.js';
import { createRootDisk } from '../disk/root-disk.js';
import type { CpuMode } from '../domain/domain-spec.js';
import { parseDomain } from '../domain/parse-domain.js';
import type { Template } from '../domain/template.js';
import { supportsDirectIo } from '../host/file-system.js';
import {
  ensureDirectory,
  findFileStat,
  makeDirectory,
  removeTree,
  syncDirectory,
  writeFileAtomic,
} from '../host/files.js';
import type { Maker } from '../host/maker.js';
import { instancePaths } from '../host/paths.js';
import { renderRecord } from '../host/record.js';
import { fileSystemError } from '../host/system-error.js';
import { formatBytes } from '../host/units.js';
import { checkInterrupted, runStep, timed, type Work } from '../host/work.js';
import { forgetDomain } from './forget-domain.js';
import { domainSpec, newRecord } from './instance-domain.js';
import type { InstanceRecord } from './instance-record.js';
import { keepAddresses, onFreePorts, withInterfaces } from './networks/launch-networks.js';
import { writeSeed, type SeedDraft } from './seed/launch-seed.js';
import type { Host } from './open-host.js';
import type { LaunchPlan } from './plan-launch.js';
import type { UndoStack } from './undo.js';
import { cpuModesToTry, isCpuModelFailure } from './virt-type.js';

export interface BuiltInstance {
  readonly instance: InstanceRecord;
  readonly diskPath: string;
  readonly basePath: string;
  readonly baseOrigin: BaseOrigin;
}

export interface Building {
  readonly host: Host;
  readonly maker: Maker;
  readonly plan: LaunchPlan;
  readonly number: number;
  readonly template: Template;
  readonly seed: SeedDraft | undefined;
  readonly undo: UndoStack;
  readonly work: Work;
}

/** The recipe: base, disk, record, domain, start; each registers its undo before it begins. */
export async function buildInstance(building: Building): Promise<BuiltInstance> {
  const { host, plan, work } = building;
  work.onEvent?.({ type: 'step-started', step: 'image', message: plan.image.name });
  work.onEvent?.({
    type: 'step-done',
    step: 'image',
    message: `${plan.image.name}, ${plan.image.format}, ${formatBytes(plan.image.virtualSizeBytes)}`,
  });
  const ensured = await runStep(
    work,
    'base',
    `looking for _base/${plan.baseName}`,
    async (progress) => {
      const before = performance.now();
      const found = await ensureBase(host.home, plan.image, plan.flavor.diskGib, host.qemuImg, {
        maker: building.maker,
        now: host.now(),
        work,
        onProgress: progress,
        deferSettling: true,
        format: plan.baseFormat,
      });
      const allocatedBytes = (await findFileStat(found.path))?.allocatedBytes ?? 0;
      return { ...found, allocatedBytes, seconds: (performance.now() - before) / 1000 };
    },
    describeBase,
  );
  // The digest of a new base is taken while the guest starts.
  const settling = settleBase(host.home, ensured.base, host.qemuImg, {
    ...{ maker: building.maker, now: host.now(), work, leaveToOthers: true },
  });
  const making = makeInstanceDirectory(building, ensured);
  // From then on the record points at the base, and the base has its digest.
  const released = Promise.allSettled([making, settling]).then(() => ensured.lock.release());
  try {
    const instance = await defineAndStart(building, await making);
    if (ensured.base.digest === null) await tellSettling(work, settling);
    await settling;
    return {
      instance,
      diskPath: host.home.instance(plan.domainName).disk,
      basePath: ensured.path,
      baseOrigin: ensured.origin,
    };
  } finally {
    await released;
  }
}

async function tellSettling(work: Work, settling: Promise<BaseRecord>): Promise<void> {
  await runStep(
    work,
    'digest',
    'reading the new base',
    () => settling,
    ({ digest }) => (digest === null ? 'another launch is reading the base' : digest.slice(0, 24)),
  );
}

async function makeInstanceDirectory(building: Building, ensured: EnsuredBase): Promise<InstanceRecord> {
  const { host, maker, plan, undo, work } = building;
  const { directory } = host.home.instance(plan.domainName);
  const temporary = maker.temporaryPath(directory);
  undo.push(`the files of ${plan.domainName}`, async () => {
    await removeTree(temporary);
    await removeTree(directory);
  });
  await ensureDirectory(host.home.instances);
  // x for others: QEMU's user has to pass, and nobody has to look.
  await makeDirectory(temporary, 0o711);
  const paths = instancePaths(temporary);
  const request = { ...plan.disk, basePath: ensured.path, baseFormat: baseFormatOf(ensured.base) };
  const format = await runStep(
    work,
    plan.disk.kind === 'overlay' ? 'overlay' : 'disk',
    `making ${plan.domainName}/disk`,
    async () => {
      const making = createRootDisk(temporary, paths.disk, request, host, work);
      // Behind the start of its process, a document object model can take its time to load.
      const started = new Promise((resolve) => setImmediate(resolve));
      await Promise.race([making, started.then(loadRendering)]);
      return await making;
    },
    (made) => `${plan.domainName}/disk, ${made}, ${formatBytes(plan.disk.virtualSizeBytes)}`,
  );
  await makeSeed(building, paths.seed);
  const { number } = building;
  return await withInterfaces(host, { interfaces: plan.interfaces, number }, work, async (interfaces) => {
    const record = newRecord(
      { ...plan, interfaces },
      {
        number,
        format,
        base: plan.disk.kind === 'overlay' ? ensured.base.name : null,
        createdAt: host.now(),
        maker: maker.token,
      },
    );
    await writeFileAtomic(paths.record, renderRecord(record), maker);
    await rename(temporary, directory).catch((error: unknown) => {
      throw fileSystemError('make the directory', directory, error);
    });
    await syncDirectory(host.home.instances);
    return record;
  });
}

async function makeSeed({ host, seed, plan, work }: Building, path: string): Promise<void> {
  if (seed === undefined || plan.seed === undefined) return;
  const { kind, hostname } = plan.seed;
  await runStep(
    work,
    'seed',
    `making ${plan.domainName}/disk.seed`,
    () => writeSeed(path, { draft: seed, plan, date: host.now() }),
    () => `${plan.domainName}/disk.seed, ${kind}, host name ${hostname}`,
  );
}

async function defineAndStart(building: Building, record: InstanceRecord): Promise<InstanceRecord> {
  const { host, plan, undo, work } = building;
  const cacheMode = (await supportsDirectIo(host.home.instances, building.maker)) ? 'none' : 'writeback';
  await keepAddresses(host, record, undo, work);
  undo.push(`the domain ${plan.domainName}`, () => forgetDomain(host.hypervisor, record.uuid));
  const modes = cpuModesToTry(plan.virtType);
  for (const [index, cpuMode] of modes.entries()) {
    try {
      const launch = { record, planned: plan.interfaces, maker: building.maker };
      return await onFreePorts(host, launch, work, async (settled) => {
        await define(building, settled, cpuMode, cacheMode);
        // What libvirt made of it is kept while the guest starts.
        const keeping = keepDefinition(building, settled, cpuMode);
        const starting = start(building, record.uuid);
        await Promise.allSettled([keeping, starting]);
        await starting;
        return await keeping;
      });
    } catch (error) {
      const next = modes[index + 1];
      if (next === undefined || !isCpuModelFailure(error)) throw error;
      work.onEvent?.({
        type: 'notice',
        message: `the CPU as ${cpuMode} does not start here, trying ${next}`,
      });
      checkInterrupted(work);
    }
  }
  throw new Error('no CPU mode to try');
}

async function define(
  building: Building,
  record: InstanceRecord,
  cpuMode: CpuMode,
  cacheMode: 'none' | 'writeback',
): Promise<void> {
  const { host, plan, work } = building;
  await runStep(
    work,
    'domain',
    `defining ${plan.domainName}`,
    async () => {
      const spec = domainSpec(host, { ...record, cpuMode }, cpuMode, cacheMode);
      const { renderDomain } = await loadRendering();
      const xml = await timed(work, 'render', async () => renderDomain(building.template.xml, spec));
      await timed(work, 'define', () => host.hypervisor.defineDomain(xml));
    },
    () => `${plan.domainName}, ${plan.virtType}, driver type ${record.disk.format}`,
  );
}

/** Writes down the document that the domain can be defined from again, and what it froze. */
async function keepDefinition(
  { host, maker, plan }: Building,
  record: InstanceRecord,
  cpuMode: CpuMode,
): Promise<InstanceRecord> {
  const paths = host.home.instance(plan.domainName);
  const kept = await host.hypervisor.readDomainXml(record.uuid, { inactive: true });
  const defined = { ...record, cpuMode, machineType: parseDomain(kept).machineType ?? null };
  await writeFile(paths.domainXml, kept);
  await writeFileAtomic(paths.record, renderRecord(defined), maker);
  return defined;
}

async function start({ host, plan, work }: Building, uuid: string): Promise<void> {
  await runStep(
    work,
    'running',
    `starting ${plan.domainName}`,
    async () => {
      const before = performance.now();
      await host.hypervisor.startDomain(uuid);
      return performance.now() - before;
    },
    (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`,
  );
}

async function loadRendering() {
  return await import('../domain/render-domain.js');
}

function describeBase(
  ensured: EnsuredBase & { readonly allocatedBytes: number; readonly seconds: number },
): string {
  const name = `_base/${ensured.base.name.slice(0, 8)}…${ensured.base.name.slice(40)}`;
  const size = `${formatBytes(ensured.allocatedBytes)} on disk of ${formatBytes(ensured.base.virtualSizeBytes)}`;
  switch (ensured.origin) {
    case 'found':
      return `${name}, ${size}, there already`;
    case 'converted':
      return `${name}, ${size}, converted in ${ensured.seconds.toFixed(1)} s`;
    case 'reflinked':
      return `${name}, ${size}, a clone that shares its blocks`;
    case 'shared':
      return `${name}, ${size}, there already; the overlay has the flavor's size`;
  }
}
