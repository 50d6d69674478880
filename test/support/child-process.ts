import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll } from 'vitest';
import type { ChildMessage, ChildVerb } from './child-verb.js';
import { makeTemporaryDirectory } from './integration-host.js';

const project = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Makes JavaScript of the source as it is now, so that children never run a build that is older than it.
 *
 * @returns the script to fork
 */
export async function compileForChildren(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'package.json'), '{"type":"module"}');
  await symlink(join(project, 'node_modules'), join(directory, 'node_modules'));
  await symlink(join(project, 'templates'), join(directory, 'templates'));
  const sources = (await readdir(join(project, 'src'), { recursive: true }))
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => join('src', name));
  for (const source of [...sources, join('test', 'support', 'child-verb.ts')]) {
    const { outputText } = ts.transpileModule(await readFile(join(project, source), 'utf8'), {
      compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
    });
    const target = join(directory, source.replace(/\.ts$/, '.js'));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, outputText);
  }
  const catalogue = join('src', 'image', 'catalogue', 'catalogue.json');
  await copyFile(join(project, catalogue), join(directory, catalogue));
  return join(directory, 'test', 'support', 'child-verb.js');
}

/** A verb in a process of its own, that waits for `go`. */
export class Child {
  readonly messages: ChildMessage[] = [];
  readonly #process: ChildProcess;
  readonly #ended: Promise<readonly unknown[]>;
  #killed = false;
  #gone = false;

  /**
   * @param options.tracer a command and its options that run the child: `strace -f …`
   * @param options.maximumFileBytes RLIMIT_FSIZE, as a quota that ends in the middle of a file
   */
  constructor(
    script: string,
    home: string,
    verb: ChildVerb,
    options: {
      readonly environment?: NodeJS.ProcessEnv;
      readonly tracer?: readonly string[];
      readonly maximumFileBytes?: number;
    } = {},
  ) {
    const limit = options.maximumFileBytes;
    const [execPath, ...execArgv] = [
      ...(limit === undefined ? [] : ['prlimit', `--fsize=${limit}`]),
      ...(options.tracer ?? []),
      process.execPath,
    ];
    this.#process = fork(script, [home, JSON.stringify(verb)], {
      env: { ...process.env, ...options.environment },
      execPath,
      execArgv,
    });
    this.#process.on('message', (message: ChildMessage) => {
      this.messages.push(message);
    });
    this.#ended = once(this.#process, 'exit');
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  async ready(): Promise<void> {
    if (this.messages.length > 0) return;
    const told = once(this.#process, 'message').then(() => true);
    const begun = await Promise.race([told, this.#ended.then(() => false)]);
    if (!begun) await this.end();
  }

  /** Says so once, however often it is called. */
  go(): void {
    if (this.#gone || !this.#process.connected) return;
    this.#gone = true;
    this.#process.send('go');
  }

  onMessage(listen: (message: ChildMessage) => void): void {
    this.#process.on('message', listen);
  }

  kill(): void {
    this.#killed = true;
    this.#process.kill('SIGKILL');
  }

  /** What it came to; undefined when it was killed before it could say. */
  async end(): Promise<unknown> {
    const [exitCode] = await this.#ended;
    const last = this.messages.at(-1);
    if (last?.type === 'done') return last.result;
    if (last?.type === 'failed') throw new Error(`the child failed: ${last.error}`);
    if (this.#killed) return undefined;
    throw new Error(`the child ended with ${String(exitCode)}; its own words are on standard error`);
  }
}

/**
 * Lets a child begin, and kills it after a while if that is given.
 *
 * @returns what it came to, undefined when it was killed before it could say; and how long it ran
 */
export async function runAndKill(
  child: Child,
  killAfterMs?: number,
): Promise<{ readonly result: unknown; readonly tookMs: number }> {
  await child.ready();
  const began = performance.now();
  child.go();
  const ended = child.end();
  if (killAfterMs !== undefined) {
    await Promise.race([ended, sleep(killAfterMs)]);
    child.kill();
  }
  return { result: await ended, tookMs: performance.now() - began };
}

/** Compiles once for a whole suite; call it where the suite is described, and read `script` in its tests. */
export function compileForSuite(): { readonly script: string } {
  const compiled = { script: '' };
  const removals: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    const directory = await makeTemporaryDirectory((remove) => removals.push(remove));
    compiled.script = await compileForChildren(directory);
  });
  afterAll(async () => {
    for (const remove of removals) await remove();
  });
  return compiled;
}

/**
 * A `qemu-img` before the real one on the PATH, that writes down how it was called.
 *
 * @param options.convertBytesPerSecond makes conversions last, by qemu-img's own limit
 */
export async function makeQemuImgShim(
  directory: string,
  options: { readonly convertBytesPerSecond?: number } = {},
): Promise<{
  readonly environment: { readonly PATH: string };
  countOf(action: string): Promise<number>;
  /** The process of the last conversion; undefined before there is one. */
  convertPid(): Promise<number | undefined>;
}> {
  const bin = join(directory, 'bin');
  const log = join(directory, 'qemu-img.log');
  const path = process.env['PATH'] ?? '';
  await mkdir(bin);
  const shim = join(bin, 'qemu-img');
  // Without itself on the PATH, it finds the real one.
  const slowly = options.convertBytesPerSecond;
  await writeFile(
    shim,
    [
      '#!/bin/sh',
      `echo "$*" >>'${log}'`,
      `if [ "$1" = convert ]; then echo $$ >'${log}.pid'; fi`,
      ...(slowly === undefined
        ? []
        : [`if [ "$1" = convert ]; then shift; set -- convert -r ${slowly} "$@"; fi`]),
      `PATH='${path}' exec qemu-img "$@"`,
      '',
    ].join('\n'),
  );
  await chmod(shim, 0o755);
  await writeFile(log, '');
  return {
    environment: { PATH: `${bin}${delimiter}${path}` },
    countOf: async (action) =>
      (await readFile(log, 'utf8')).split('\n').filter((line) => line.startsWith(`${action} `)).length,
    convertPid: async () => {
      const pid = await readFile(`${log}.pid`, 'utf8').catch(() => '');
      return pid.endsWith('\n') ? Number(pid) : undefined;
    },
  };
}

/** Processes whose command line names a path. */
export async function listProcessesNaming(path: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== `${process.pid}`);
  const commands = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return commands.filter((command) => command.includes(path)).map((command) => command.replaceAll('\0', ' '));
}
