import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { diskFormats } from '../../src/qemu-img/disk-format.js';
import { Child, compileForSuite } from '../support/child-process.js';
import type { StrangerFile } from '../support/child-verb.js';
import { mutantSubjects, mutate, numbersBelow } from '../support/hostile-images/mutants.js';
import { hostileQcow2Files } from '../support/hostile-images/qcow2.js';
import {
  filesOfBannedFormats,
  filesOfTwoFormats,
  filesOtherThanDeclared,
  filesThatAreNoDisks,
} from '../support/hostile-images/signatures.js';
import {
  hostileVdiFiles,
  hostileVhdxFiles,
  hostileVpcFiles,
} from '../support/hostile-images/vdi-vpc-vhdx.js';
import { hostileVmdkFiles } from '../support/hostile-images/vmdk.js';
import {
  makeImageFile,
  makeRawDisk,
  openIntegrationHost,
  type IntegrationHost,
} from '../support/integration-host.js';
import { readOpenedFiles, tracerTo } from '../support/opened-files.js';

const corpus = [
  ...[hostileQcow2Files, hostileVmdkFiles, hostileVdiFiles, hostileVpcFiles, hostileVhdxFiles],
  ...[filesOfTwoFormats, filesOtherThanDeclared, filesOfBannedFormats, filesThatAreNoDisks],
].flat();
const mutantsPerFormat = 6;

describe('invariant 8: an image makes nobody open what is outside the store', () => {
  const compiled = compileForSuite();

  /** Imports the files in a process of its own, under strace. */
  async function importTraced(
    host: IntegrationHost,
    strangers: readonly StrangerFile[],
    name: string,
  ): Promise<{ readonly outcomes: readonly string[]; readonly opened: ReadonlySet<string> }> {
    const listPath = join(host.directory, `${name}.json`);
    const logPath = join(host.directory, `${name}.strace`);
    await writeFile(listPath, JSON.stringify(strangers));
    const verb = { verb: 'import-each', listPath } as const;
    const child = new Child(compiled.script, host.home.root, verb, { tracer: tracerTo(logPath) });
    await child.ready();
    child.go();
    const outcomes = (await child.end()) as readonly string[];
    return { outcomes, opened: await readOpenedFiles(logPath) };
  }

  /** What plain images need outside of the store: Node, qemu-img, programs that decompress, libraries. */
  async function importPlain(host: IntegrationHost): Promise<ReadonlySet<string>> {
    const directory = join(host.directory, 'plain');
    await mkdir(directory);
    const strangers: StrangerFile[] = [];
    for (const format of diskFormats) {
      strangers.push({ format, path: await makeImageFile(directory, format) });
    }
    for (const program of ['gzip', 'xz', 'bzip2', 'zstd']) {
      const path = await makeRawDisk(join(directory, program));
      await execa(program, ['--quiet', '--keep', path]);
      const suffix = program === 'gzip' ? 'gz' : program === 'bzip2' ? 'bz2' : program.slice(0, 3);
      strangers.push({ path: `${path}.${suffix}` });
    }
    const { outcomes, opened } = await importTraced(host, strangers, 'plain');
    expect(outcomes).toEqual(strangers.map(() => 'imported'));
    return opened;
  }

  function strangeOnes(
    opened: ReadonlySet<string>,
    known: ReadonlySet<string>,
    own: readonly string[],
  ): readonly string[] {
    return [...opened].filter(
      (path) => !known.has(path) && !own.some((start) => path === start || path.startsWith(`${start}/`)),
    );
  }

  it('224 hostile files, and mutants of every format, some of which are let through to qemu-img', async () => {
    const host = await openIntegrationHost();
    const known = await importPlain(host);
    const directory = join(host.directory, 'strangers');
    await mkdir(directory);
    const strangers: StrangerFile[] = [];
    const add = async (bytes: Buffer, format?: StrangerFile['format']) => {
      const path = join(directory, `stranger-${strangers.length}`);
      await writeFile(path, bytes);
      strangers.push({ path, format });
    };
    for (const { bytes, declaredFormat } of corpus) await add(bytes(), declaredFormat);
    for (const subject of mutantSubjects) {
      const below = numbersBelow(20120402);
      for (let index = 0; index < mutantsPerFormat; index += 1) await add(mutate(subject, below));
    }
    const { outcomes, opened } = await importTraced(host, strangers, 'strangers');
    expect(corpus).toHaveLength(224);
    expect(outcomes.slice(0, corpus.length)).not.toContain('imported');
    expect(outcomes.slice(corpus.length).filter((outcome) => outcome === 'imported').length).toBeGreaterThan(
      5,
    );
    const own = [
      host.home.root,
      join(host.directory, 'strangers.json'),
      ...strangers.map(({ path }) => path),
      // qemu-img loads drivers as it needs them; a process looks at itself.
      ...['/usr/lib', '/lib', '/proc'],
    ];
    expect(strangeOnes(opened, known, own)).toEqual([]);
    // The trace saw the store at all, and qemu-img in it.
    expect([...opened].filter((path) => path.startsWith(`${host.home.images}/`)).length).toBeGreaterThan(224);
    expect([...opened].filter((path) => path.endsWith('/qemu-img'))).not.toEqual([]);
  }, 300_000);

  it('would be seen: qemu-img alone opens what a header names', async () => {
    const host = await openIntegrationHost();
    const path = join(host.directory, 'evil.qcow2');
    const [evil] = hostileQcow2Files;
    if (evil === undefined) throw new Error('there is no hostile file');
    await writeFile(path, evil.bytes());
    const logPath = join(host.directory, 'strace');
    const [strace = '', ...options] = tracerTo(logPath);
    await execa(
      strace,
      [...options, 'qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', path, `${path}.raw`],
      { reject: false },
    );
    expect([...(await readOpenedFiles(logPath))]).toContain('/etc/shadow');
  });
});
