import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';
import type { runProcess } from './process.js';

/** What `dist/program/program.cjs` exports, made by scripts/bundle.js. */
interface Program {
  readonly runProcess: typeof runProcess;
}

/**
 * Loads the program with what V8 compiled of it when it was built. To parse and compile it takes longer than
 * Node's own start; to read what was compiled takes a fifth of that.
 */
export function loadProgram(): Program {
  return createLoader(join(import.meta.dirname, 'program')).load('program') as Program;
}

/**
 * Loads the parts of the program: `program`, and each package that it requires as `launch:NAME`. V8 refuses
 * compiled code that another version of itself made, or itself with other flags, and compiles anew.
 *
 * @public for scripts/compile-ahead.js
 */
export function createLoader(directory: string) {
  const scripts = new Map<string, Script>();
  const loaded = new Map<string, unknown>();
  const load = (name: string): unknown => {
    if (loaded.has(name)) return loaded.get(name);
    const filename = join(directory, `${name}.cjs`);
    // esbuild writes ASCII only, which is what V8 keeps one byte a character.
    const text = readFileSync(filename, 'latin1');
    const script = new Script(`(function (exports, require, module, __filename, __dirname) {${text}\n})`, {
      filename,
      ...codeCacheOf(directory, name),
    });
    scripts.set(name, script);
    const own = createRequire(filename);
    const require = (id: string): unknown => (id.startsWith('launch:') ? load(id.slice(7)) : own(id));
    const module = { exports: {} };
    const wrapper = script.runInThisContext() as (...names: readonly unknown[]) => void;
    wrapper(module.exports, require, module, filename, directory);
    loaded.set(name, module.exports);
    return module.exports;
  };
  return { load, scripts: scripts as ReadonlyMap<string, Script> };
}

/**
 * Its name tells which Node it is for: another one would refuse it after reading it.
 *
 * @public for scripts/compile-ahead.js
 */
export function codeCachePath(directory: string, name: string): string {
  return join(directory, `${name}.${process.version}-${process.arch}.cache`);
}

function codeCacheOf(directory: string, name: string): { readonly cachedData?: Buffer } {
  try {
    return { cachedData: readFileSync(codeCachePath(directory, name)) };
  } catch {
    // Built with another Node: slower, and as good.
    return {};
  }
}
