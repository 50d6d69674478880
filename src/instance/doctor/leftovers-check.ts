import { join } from 'node:path';
import { fileExists, listDirectory, removeTree } from '../../host/files.js';
import { tryTakeLock } from '../../host/lock.js';
import { clearLeftovers } from '../clear-leftovers.js';
import { releaseAddresses } from '../networks/dhcp-reservations.js';
import { forgetDomain, isActive } from '../forget-domain.js';
import { findRecordIn } from '../instance-record.js';
import type { Examination, ObservedDomain } from './examination.js';
import { count } from '../../host/units.js';
import { shellQuote, shortList, type Finding, type Problem } from './finding.js';

/** What lies about: files of commands that are gone, records without domains, domains without records. */
export async function checkLeftovers(examination: Examination): Promise<Finding> {
  const { records, damaged } = await examination.records();
  const domains = await examination.domains();
  const temporary = await findTemporary(examination);
  const abandoned = temporary.filter(({ maker }) => maker === 'gone' || maker === 'lost');
  const uuids = new Set(domains.map(({ uuid }) => uuid));
  const lost = records.filter(({ maker, uuid }) => maker === null && !uuids.has(uuid));
  const known = new Set(records.map(({ uuid }) => uuid));
  const strays = await findStrays(examination, domains, known);
  const problems: Problem[] = [
    ...(abandoned.length === 0 ? [] : [abandonedProblem(examination, abandoned)]),
    ...lost.map(({ domainName }): Problem => ({
      level: 'warning',
      found: `libvirt has no domain for ${domainName}`,
      why: 'somebody undefined it; its disk and its record are still there',
      cure: {
        text: `define and start it again; or remove it with:  launch delete ${domainName}`,
        command: `launch start ${domainName}`,
      },
    })),
    ...damaged.map(({ domainName, problem }): Problem => ({
      level: 'warning',
      found: `the instance ${domainName} cannot be used: ${problem}`,
      why: 'nothing but deleting can be done with it',
      cure: { text: 'remove what is left of it', command: `launch delete ${shellQuote(domainName)}` },
    })),
    ...strays.map((stray) => strayProblem(examination, stray)),
  ];
  return {
    found:
      problems.length === 0
        ? `none; ${count(records.length, 'instance')}, each with its domain`
        : [
            ...(abandoned.length === 0 ? [] : [count(abandoned.length, 'temporary file')]),
            ...(lost.length === 0 ? [] : [`${count(lost.length, 'record')} without domain`]),
            ...(damaged.length === 0 ? [] : [count(damaged.length, 'damaged record')]),
            ...(strays.length === 0 ? [] : [`${count(strays.length, 'domain')} without record`]),
          ].join(', '),
    problems,
    details: temporary.map(({ path, maker }) => `${maker === 'works' ? 'at work' : 'left   '}  ${path}`),
    facts: {
      temporary: abandoned.map(({ path }) => path),
      recordsWithoutDomain: lost.map(({ domainName }) => domainName),
      damaged: damaged.map(({ domainName }) => domainName),
      domainsWithoutRecord: strays.map(({ domain }) => domain.name),
    },
  };
}

interface Temporary {
  readonly path: string;
  /** `gone`: the next command clears it; `lost`: its maker's lock is gone too, so no command does. */
  readonly maker: 'works' | 'gone' | 'lost';
}

async function findTemporary(examination: Examination): Promise<readonly Temporary[]> {
  const { home } = examination.host;
  const namesIn = async (parent: string) =>
    (await listDirectory(parent))
      .filter((name) => !name.startsWith('.') && !name.endsWith('.json'))
      .map((name) => join(parent, name));
  const directories = [
    ...[home.root, home.images, home.instances, home.bases],
    ...(await namesIn(home.instances)).filter((path) => path !== home.bases),
    ...(await namesIn(home.images)),
  ];
  const makers = new Map<string, Promise<Temporary['maker']>>();
  const found = await Promise.all(
    directories.map(async (directory) => {
      const names = await listDirectory(directory).catch(() => []);
      return await Promise.all(
        names.map(async (name): Promise<readonly Temporary[]> => {
          const token = /^\..+\.(\d+-[0-9a-f]{12})\.tmp$/.exec(name)?.[1];
          if (token === undefined) return [];
          const maker = makers.get(token) ?? judgeMaker(home.lock(`maker-${token}`), token);
          makers.set(token, maker);
          return [{ path: join(directory, name), maker: await maker }];
        }),
      );
    }),
  );
  return found.flat(2);
}

async function judgeMaker(lockPath: string, token: string): Promise<Temporary['maker']> {
  if (!fileExists(lockPath)) return isAlive(Number(token.split('-')[0])) ? 'works' : 'lost';
  const lock = await tryTakeLock(lockPath, { create: false });
  if (lock === undefined) return 'works';
  await lock.release();
  return 'gone';
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function abandonedProblem(examination: Examination, abandoned: readonly Temporary[]): Problem {
  const { host } = examination;
  return {
    level: 'warning',
    found: `${count(abandoned.length, 'temporary file')} of commands that are gone: ${shortList(abandoned.map(({ path }) => path))}`,
    why: 'they take space, and are nothing that anybody uses',
    cure: {
      text: 'clear them; as a rule the next command does',
      command: 'launch doctor leftovers --fix',
      fix: async () => {
        await clearLeftovers(host);
        for (const { path, maker } of abandoned) {
          if (maker !== 'lost') continue;
          const record = await findRecordIn(path).catch(() => undefined);
          if (record !== undefined) {
            await forgetDomain(host.hypervisor, record.uuid);
            await releaseAddresses(host.hypervisor, record.interfaces);
          }
          await removeTree(path);
        }
        return `cleared ${shortList(abandoned.map(({ path }) => path))}`;
      },
    },
  };
}

interface Stray {
  readonly domain: ObservedDomain;
  /** The disk in our house that it names. */
  readonly disk: string;
  readonly diskExists: boolean;
}

/** Domains on disks of this home that no record knows. */
async function findStrays(
  examination: Examination,
  domains: readonly ObservedDomain[],
  known: ReadonlySet<string>,
): Promise<readonly Stray[]> {
  const { home } = examination.host;
  const found = await Promise.all(
    domains.map(async (domain): Promise<readonly Stray[]> => {
      if (known.has(domain.uuid)) return [];
      // Somebody's own domain may well lie on a base of ours; only instances' disks make it one of ours.
      const disk = domain.description.disks
        .flatMap(({ sourcePath }) => sourcePath ?? [])
        .find((path) => path.startsWith(`${home.instances}/`) && !path.startsWith(`${home.bases}/`));
      return disk === undefined ? [] : [{ domain, disk, diskExists: fileExists(disk) }];
    }),
  );
  return found.flat();
}

function strayProblem(examination: Examination, { domain, disk, diskExists }: Stray): Problem {
  const { name, uuid, state } = domain;
  const isEmpty = !diskExists && !isActive(state);
  return {
    level: 'warning',
    found: `the domain ${name} (${state}) is on a disk of this home, and no record knows it`,
    why: isEmpty
      ? `its disk is gone (${disk}): it cannot be started`
      : 'launch does not list it, and removes neither it nor its disk',
    cure: {
      text: isEmpty
        ? 'let libvirt forget it'
        : 'look at it; when nobody needs it, stop it and let libvirt forget it',
      command: `virsh ${isActive(state) ? 'destroy' : 'undefine'} ${uuid}`,
      ...(isEmpty
        ? {
            fix: async () => {
              const { hypervisor } = examination.host;
              // Somebody may have started it, or put the disk back, since.
              const now = await hypervisor.findDomain(uuid);
              if (now === undefined || isActive(now.state) || fileExists(disk)) return `left ${name} alone`;
              await hypervisor.undefineDomain(uuid);
              return `libvirt forgot the domain ${name}`;
            },
          }
        : {}),
    },
  };
}
