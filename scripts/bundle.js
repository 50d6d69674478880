// Makes the binary, dist/main.js, out of src/main.ts and the packages it uses: one file for what every
// command needs, and one for each part that is loaded late. A Node that has to find and read a few hundred
// modules takes several times as long to start (docs/performance.md).
import { chmodSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const project = join(import.meta.dirname, '..');
const dist = join(project, 'dist');
const chunks = join(dist, 'chunks');

// Two versions of string-width come with the packages, and each compiles tables of Unicode when it is
// loaded: a third of the time of `launch --help`. Ours looks most text up in none.
const ownStringWidth = {
  name: 'own-string-width',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^string-width$/ }, () => ({ path: 'string-width', namespace: 'own' }));
    onLoad({ filter: /.*/, namespace: 'own' }, () => ({
      contents: `
        import { stripVTControlCharacters } from 'node:util';
        import { displayWidth } from './src/cli/terminal/display-width.ts';
        export default (text) => displayWidth(stripVTControlCharacters(text));`,
      resolveDir: project,
    }));
  },
};

// The two packages with native code: their JavaScript goes into the bundle, which leaves behind an XML
// parser that is never called; what npm compiled or brought stays where it is, and is found from there.
const nativeCode = {
  name: 'native-code',
  setup({ onLoad }) {
    onLoad({ filter: /@unraid\/libvirt\/dist\/hypervisor\.js$/ }, ({ path }) => ({
      contents: replaceOnce(
        path,
        "require('../build/Release/libvirt')",
        "createRequire(import.meta.resolve('@unraid/libvirt'))('../build/Release/libvirt.node')",
      ),
    }));
    onLoad({ filter: /fs-native-extensions\/binding\.js$/ }, ({ path }) => ({
      contents:
        replaceOnce(path, "require.addon = require('require-addon')", '') &&
        'const name = `${process.platform}-${process.arch}/fs-native-extensions.node`;\n' +
          'module.exports = require(`fs-native-extensions/prebuilds/${name}`);',
    }));
  },
};

/** Fails the build when a new version of the package is written otherwise. */
function replaceOnce(path, text, replacement) {
  const source = readFileSync(path, 'utf8');
  if (source.split(text).length !== 2) throw new Error(`${path} has changed: ${text} is not there once`);
  return source.replace(text, replacement);
}

const { metafile } = await build({
  entryPoints: [join(project, 'src', 'main.ts')],
  outdir: dist,
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  plugins: [ownStringWidth, nativeCode],
  // Names and lines stay: a stack trace is read by people.
  minifySyntax: true,
  legalComments: 'none',
  // Packages in CommonJS call require for what Node itself has.
  banner: {
    js: "import{createRequire as bundleRequire}from'node:module';const require=bundleRequire(import.meta.url);",
  },
  metafile: true,
  logLevel: 'warning',
});

// Only now: a command that runs while this does keeps the files it was started with.
const made = new Set(Object.keys(metafile.outputs).map((path) => path.split('/').at(-1)));
for (const name of readdirSync(chunks)) {
  if (!made.has(name)) rmSync(join(chunks, name));
}
chmodSync(join(dist, 'main.js'), 0o755);
