import { stat } from 'node:fs/promises';
import { readWrittenBacking, pathsNamedIn } from '../../disk/qcow2-backing.js';
import { isActive } from '../forget-domain.js';
import type { Examination } from './examination.js';

export interface InstanceChain {
  readonly domainName: string;
  readonly uuid: string;
  readonly isRunning: boolean;
  /** The disk first, then what it stands on; those that are there. */
  readonly paths: readonly string[];
}

/** The files of each instance's disk, as records and headers tell. */
export async function readChains(examination: Examination): Promise<readonly InstanceChain[]> {
  const { host } = examination;
  const { records } = await examination.records();
  const states = new Map((await examination.domains()).map(({ uuid, state }) => [uuid, state]));
  return await Promise.all(
    records
      .filter(({ maker }) => maker === null)
      .map(async ({ domainName, uuid, disk }) => {
        const top = host.home.instance(domainName).disk;
        const backing = await readWrittenBacking(top);
        const named = backing === undefined ? [] : pathsNamedIn(backing.path);
        const base = disk.base === null ? [] : [host.home.base(disk.base).file];
        const state = states.get(uuid);
        const paths = await keepExisting([...new Set([top, ...named, ...base])]);
        return { domainName, uuid, isRunning: state !== undefined && isActive(state), paths };
      }),
  );
}

async function keepExisting(paths: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    paths.map(async (path) => {
      const there = await stat(path).catch(() => undefined);
      return there?.isFile() === true ? path : undefined;
    }),
  );
  return found.filter((path) => path !== undefined);
}
