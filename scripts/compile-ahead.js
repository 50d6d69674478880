// Writes dist/program/*.cache: the functions of the program that V8 compiled while the usual commands
// ran, on libvirt's test driver and in a home that is thrown away. What these commands do not reach is
// compiled when it is needed, as ever, so a command that fails here costs others time and nothing else.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { codeCachePath, createLoader } from '../dist/cli/load-program.js';

const directory = join(import.meta.dirname, '..', 'dist', 'program');
const { load, scripts } = createLoader(directory);
const { runProcess } = load('program');

const home = mkdtempSync(join(tmpdir(), 'launch-build-'));
try {
  const image = join(home, 'image.raw');
  writeFileSync(image, Buffer.alloc(1024 * 1024));
  for (const command of [
    '--help',
    `image import ${image} --disk-format raw --name tiny`,
    'image list',
    'tiny --dry-run --network none',
    'tiny --flavor m1.tiny --name instance --virt-type qemu',
    'list',
    'show instance',
    'inspect test',
    'base list',
    'df',
    'start instance',
    'delete instance',
  ]) {
    const args = ['--home', home, '--connect', 'test:///default', ...command.split(' ')];
    const { exitCode, stderr } = await runSilently(args);
    if (exitCode !== 0) console.error(`compile-ahead: launch ${command}: exit code ${exitCode}\n${stderr}`);
  }
  for (const [name, script] of scripts) {
    const target = codeCachePath(directory, name);
    writeFileSync(`${target}.tmp`, script.createCachedData());
    renameSync(`${target}.tmp`, target);
  }
} finally {
  rmSync(home, { recursive: true, force: true });
}

/** As a process that nobody listens to would. */
async function runSilently(args) {
  let stderr = '';
  const sink = (take) => new Writable({ write: (chunk, _encoding, done) => (take(chunk), done()) });
  const exitCode = await runProcess(
    {
      argv: ['node', 'launch'],
      execPath: process.execPath,
      env: { HOME: home, PATH: process.env['PATH'] },
      stdin: process.stdin,
      stdout: sink(() => undefined),
      stderr: sink((chunk) => (stderr += chunk)),
      on: () => undefined,
    },
    args,
  );
  return { exitCode, stderr };
}
