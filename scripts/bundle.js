// Makes the binary out of src/ and the packages it uses (docs/decisions/0010): dist/main.cjs, which starts,
// dist/program.cjs, everything else in one file, and beside it what V8 compiles of that, so that a start
// compiles nothing. A Node that has to find, read and compile a few hundred modules takes several times as
// long to start (docs/performance.md).
import { execFileSync } from 'node:child_process';
import { isBuiltin } from 'node:module';
import { chmodSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const project = join(import.meta.dirname, '..');
const dist = join(project, 'dist');

// Two versions of string-width come with the packages, and each compiles tables of Unicode when it is
// loaded: a third of the time of `launch --help`. Ours looks most text up in none.
const ownStringWidth = {
  name: 'own-string-width',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^string-width$/ }, () => ({ path: 'string-width', namespace: 'own' }));
    onLoad({ filter: /^string-width$/, namespace: 'own' }, () => ({
      contents: `
        import { stripVTControlCharacters } from 'node:util';
        import { displayWidth } from './src/cli/terminal/display-width.ts';
        export default (text) => displayWidth(stripVTControlCharacters(text));`,
      resolveDir: project,
    }));
  },
};

// The two packages with native code: their JavaScript goes into the bundle, without what is never called;
// what npm compiled or brought stays where it is, and is found from there.
const nativeCode = {
  name: 'native-code',
  setup({ onLoad }) {
    onLoad({ filter: /@unraid\/libvirt\/dist\/hypervisor\.js$/ }, ({ path }) => ({
      // The package exports its JavaScript only.
      contents: replaceOnce(
        path,
        "require('../build/Release/libvirt')",
        `require(
          require.resolve.paths('@unraid/libvirt')
            .map((directory) => directory + '/@unraid/libvirt/build/Release/libvirt.node')
            .find((file) => require('node:fs').existsSync(file)) ?? '@unraid/libvirt')`,
      ),
    }));
    onLoad({ filter: /fs-native-extensions\/binding\.js$/ }, ({ path }) => ({
      contents:
        replaceOnce(path, "require.addon = require('require-addon')", '') &&
        'const name = `${process.platform}-${process.arch}/fs-native-extensions.node`;\n' +
          'module.exports = require(`fs-native-extensions/prebuilds/${name}`);',
    }));
    // Its descriptions of domains come with an XML parser and two builders.
    onLoad({ filter: /@unraid\/libvirt\/dist\/index\.js$/ }, ({ path }) => ({
      contents: ['desc', 'xml', 'builder'].reduce(
        (text, part) => replaceIn(text, path, `export * from './domain-${part}.js';`, ''),
        readFileSync(path, 'utf8'),
      ),
    }));
  },
};

// xmlbuilder2 writes YAML too; nobody asks it to.
const noYaml = {
  name: 'no-yaml',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^js-yaml$/ }, () => ({ path: 'js-yaml', namespace: 'none' }));
    onLoad({ filter: /.*/, namespace: 'none' }, () => ({ contents: 'export {}' }));
  },
};

/** Fails the build when a new version of the package is written otherwise. */
function replaceOnce(path, text, replacement) {
  return replaceIn(readFileSync(path, 'utf8'), path, text, replacement);
}

function replaceIn(source, path, text, replacement) {
  if (source.split(text).length !== 2) throw new Error(`${path} has changed: ${text} is not there once`);
  return source.replace(text, replacement);
}

// Modules of Node that a start does not have loaded already come when the first of their functions is asked
// for: most commands ask for none of most.
const lateBuiltins = {
  name: 'late-builtins',
  setup({ onResolve, onLoad }) {
    const isLoaded = /^(node:)?(buffer|events|fs|module|path|process|url|util|vm)$/;
    onResolve({ filter: /^(node:)?[a-z_]+(\/promises)?$/ }, ({ path, namespace }) => {
      if (namespace === 'late' || !isBuiltin(path) || isLoaded.test(path)) return undefined;
      return { path: path.replace('node:', ''), namespace: 'late' };
    });
    onLoad({ filter: /.*/, namespace: 'late' }, async ({ path }) => {
      const names = Object.keys(await import(`node:${path}`)).filter((name) => name !== 'default');
      const getters = names.map((name) => `get ${name}() { return load().${name}; }`);
      const load = `let loaded; const load = () => (loaded ??= require('node:${path}'));`;
      return { contents: `${load} module.exports = { ${getters.join(', ')} };` };
    });
  },
};

// yargs asks for two of its functions, and loading it takes as long as declaring all commands.
const ownAssert = {
  name: 'own-assert',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?assert$/ }, () => ({ path: 'assert', namespace: 'own' }));
    onLoad({ filter: /^assert$/, namespace: 'own' }, () => ({
      contents: `
        const check = (holds, message) => { if (!holds) throw message instanceof Error ? message : new Error(message); };
        export const strictEqual = (actual, expected, message) => check(Object.is(actual, expected), message);
        export const notStrictEqual = (actual, expected, message) => check(!Object.is(actual, expected), message);`,
    }));
  },
};

// Rendering the help of a command takes longer than reading its options; yargs does it each time.
const helpWhenAsked = {
  name: 'help-when-asked',
  setup({ onLoad }) {
    onLoad({ filter: /yargs\/build\/lib\/command\.js$/ }, ({ path }) => ({
      contents: replaceOnce(path, 'yargs.getInternalMethods().getUsageInstance().cacheHelpMessage();', ''),
    }));
  },
};

// Packages that most commands do without, each in a file of its own: what is not loaded costs nothing.
const apart = ['execa', 'log-update', 'xmlbuilder2', 'yaml'];
const packagesApart = {
  name: 'packages-apart',
  setup({ onResolve }) {
    onResolve({ filter: new RegExp(`^(${apart.join('|')})$`) }, ({ path, kind }) =>
      kind === 'entry-point' ? undefined : { path: `launch:${path}`, external: true },
    );
  },
};

const common = {
  bundle: true,
  // CommonJS, because Node's loader of modules costs a start more than the code of most commands.
  format: 'cjs',
  platform: 'node',
  target: 'node20.19',
  supported: { 'dynamic-import': false },
  define: { 'import.meta.url': 'bundleUrl', 'import.meta.dirname': '__dirname' },
  // Names and lines stay: a stack trace is read by people.
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
};
const place = join(dist, 'program');
await Promise.all([
  build({ ...common, entryPoints: [join(project, 'src', 'main.ts')], outfile: join(dist, 'main.cjs') }),
  build({
    ...common,
    banner: { js: "const bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
    entryPoints: [
      { in: join(project, 'src', 'cli', 'process.ts'), out: 'program' },
      ...apart.map((name) => ({ in: name, out: name })),
    ],
    outdir: place,
    outExtension: { '.js': '.cjs' },
    plugins: [packagesApart, ownStringWidth, ownAssert, nativeCode, noYaml, lateBuiltins, helpWhenAsked],
  }),
]);
chmodSync(join(dist, 'main.cjs'), 0o755);

// What was compiled of another program must not be taken for this one's.
for (const name of readdirSync(place)) {
  if (name.endsWith('.cache')) rmSync(join(place, name));
}
execFileSync(process.execPath, [join(import.meta.dirname, 'compile-ahead.js')], { stdio: 'inherit' });
