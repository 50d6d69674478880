import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { renderRecord } from '../../../src/host/record.js';
import { launchVersion } from '../../../src/host/version.js';
import { sampleImage } from '../image/sample-image.js';
import { errorIn, newProgram } from './run.js';

describe('a usage error', () => {
  it.each([
    ['an unknown option', ['list', '--nope'], 'Unknown argument: nope'],
    ['an option that is only cut short', ['list', '--form', 'json'], 'Unknown argument: form'],
    ['an unknown command of a group', ['flavor', 'frob'], 'Unknown argument: frob'],
    ['one positional too many', ['flavor', 'list', 'extra'], 'Unknown argument: extra'],
    ['an option that is missing', ['flavor', 'create', 'ci'], 'Missing required argument: memory'],
    ['a group without a command', ['flavor'], 'launch flavor needs a command, see: launch flavor --help'],
    ['a wait that nobody knows', ['run', 'x', '--wait', 'frob'], 'cannot wait for "frob"'],
    ['a time that is none', ['run', 'x', '--timeout', 'frob'], '"frob" is not a duration'],
    ['a home that is empty', ['list', '--home='], 'the home is empty'],
    ['standard input without a name', ['image', 'import', '-'], 'an image from standard input needs a name'],
    [
      'a count that is none',
      ['image', 'import', 'f', '--min-disk', '1.5'],
      '--min-disk takes a whole number, not 1.5',
    ],
    [
      'a property that is none',
      ['image', 'import', 'f', '--property', 'x'],
      'the property "x" is not key=value',
    ],
  ])('exits with 2 and says why on stderr: %s', async (_what, args, message) => {
    const { home, run } = await newProgram();
    const asText = await run(...args);
    expect([asText.exitCode, asText.stdout]).toEqual([2, '']);
    expect(asText.stderr).toMatch(/^launch: /);
    expect(asText.stderr.split('\n')[0]).toBe(`launch: ${message}`);
    const asJson = await run(...args, '--format=json');
    expect([asJson.exitCode, asJson.stdout]).toEqual([2, '']);
    expect(errorIn(asJson)).toMatchObject({ code: 'ARGUMENT_INVALID', message });
    expect(await readdir(home.root)).toEqual([]);
  });

  it('says where help is', async () => {
    const { run } = await newProgram();
    expect((await run('list', '--nope')).stderr).toContain('launch list --help');
    expect((await run('-q', 'flavor', 'frob')).stderr).toContain('launch flavor --help');
    expect((await run('fedora-17', '--nope')).stderr).toMatch(/launch --help/);
  });

  it('refuses a value that is no choice', async () => {
    const { run } = await newProgram();
    const { exitCode, stdout, stderr } = await run('flavor', 'list', '--format', 'xml');
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^launch: Invalid values/);
  });

  // The message has lines, of which only the first is kept: `Invalid values:`, and no word of which.
  it('says which value is no choice, and what the choices are', async () => {
    const { run } = await newProgram();
    const { stderr } = await run('flavor', 'list', '--format', 'xml');
    expect(stderr).toContain('xml');
    expect(stderr).toContain('json');
  });

  it('exits with 2 for a bare launch', async () => {
    const { run } = await newProgram();
    expect((await run()).exitCode).toBe(2);
  });

  // yargs counts words: `Not enough non-option arguments: got 0, need at least 1`.
  it.each([
    [['show'], 'launch show needs INSTANCE', 'launch show --help'],
    [['flavor', 'show'], 'launch flavor show needs NAME', 'launch flavor show --help'],
    [['image', 'rename'], 'launch image rename needs IMAGE and NAME', 'launch image rename --help'],
    [['image', 'rename', 'x'], 'launch image rename needs NAME', 'launch image rename --help'],
    [['--dry-run'], 'launch needs IMAGE', 'launch --help'],
  ])('says what is missing: %j', async (args, message, hint) => {
    const { run } = await newProgram();
    const outcome = await run(...args, '--format=json');
    expect(outcome.exitCode).toBe(2);
    expect(errorIn(outcome)).toMatchObject({ message, hint });
  });

  it.each([
    [['image', 'import', '--name', 't', '--', './none'], '"./none"'],
    [['image', 'import', '--name', 't', '--', '--none'], '"--none"'],
    [['image', 'show', '-q', '--', '-h'], '"-h"'],
    [['show', '--', 'true'], '"true"'],
    [['--', 'list'], '"list"'],
  ])('what stands behind -- is no option and no command: %j', async (args, named) => {
    const { run } = await newProgram();
    const { exitCode, stdout, stderr } = await run(...args);
    expect([exitCode, stdout]).toEqual([1, '']);
    expect(stderr).toContain(named);
    expect(stderr).not.toContain('\0');
  });

  it('one word too many behind -- is refused as it was typed', async () => {
    const { run } = await newProgram();
    const { exitCode, stderr } = await run('flavor', 'list', '--', '-x');
    expect(exitCode).toBe(2);
    expect(stderr.split('\n')[0]).toBe('launch: Unknown argument: -x');
  });

  it('shows the stack only when it is asked for', async () => {
    const { run } = await newProgram();
    expect((await run('list', '--nope')).stderr).not.toContain('at ');
    expect((await run('list', '--nope', '--verbose')).stderr).toContain('LaunchError: Unknown argument');
  });
});

describe('help and version', () => {
  it('go to stdout, with exit code 0', async () => {
    const { run } = await newProgram();
    expect(await run('--version')).toEqual({ exitCode: 0, stdout: `${launchVersion}\n`, stderr: '' });
    for (const option of ['--help', '-h']) {
      const { exitCode, stdout, stderr } = await run(option);
      expect([exitCode, stderr]).toEqual([0, '']);
      expect(stdout).toContain('launch run <image>');
      expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    }
  });

  it('are there for each command, with examples', async () => {
    const { run } = await newProgram();
    for (const command of [
      'run',
      'list',
      'show',
      'inspect',
      'start',
      'stop',
      'delete',
      'log',
      'image',
      'flavor',
    ]) {
      const { exitCode, stdout } = await run(command, '--help');
      expect([command, exitCode]).toEqual([command, 0]);
      expect(stdout, command).toContain('Examples:');
    }
  });
});

describe('flavors', () => {
  it('are listed in a table', async () => {
    const { run } = await newProgram();
    expect(await run('flavor', 'list')).toEqual({
      exitCode: 0,
      stdout: [
        '+-----------+---------+-------+---------+--------+',
        '| Name      |  Memory | vCPUs |    Disk | Origin |',
        '+-----------+---------+-------+---------+--------+',
        '| m1.tiny   | 512 MiB |     1 |   1 GiB | preset |',
        '| m1.small  |   2 GiB |     1 |  20 GiB | preset |',
        '| m1.medium |   4 GiB |     2 |  40 GiB | preset |',
        '| m1.large  |   8 GiB |     4 |  80 GiB | preset |',
        '| m1.xlarge |  16 GiB |     8 | 160 GiB | preset |',
        '+-----------+---------+-------+---------+--------+',
        '',
      ].join('\n'),
      stderr: '',
    });
  });

  it('are made, shown, listed and removed, in every form of the command', async () => {
    const { home, run } = await newProgram();
    const ci = { name: 'ci', memoryMib: 1024, vcpus: 2, diskGib: 10, origin: 'own' };
    const created = await run(
      'flavor',
      'create',
      'ci',
      '--memory',
      '1024',
      '--vcpus=2',
      '--disk',
      '10',
      '--format',
      'json',
    );
    expect([created.exitCode, JSON.parse(created.stdout), created.stderr]).toEqual([0, ci, '']);
    expect(JSON.parse((await run('--format=json', 'flavor', 'show', 'ci')).stdout)).toEqual(ci);
    expect((await run('flavor', 'ls')).stdout).toContain(
      '| ci        |   1 GiB |     2 |  10 GiB | own    |',
    );
    expect(await run('flavor', 'rm', 'ci')).toEqual({ exitCode: 0, stdout: 'ci removed\n', stderr: '' });
    const gone = await run('flavor', 'remove', 'ci', '--format', 'json');
    expect([gone.exitCode, gone.stdout]).toEqual([1, '']);
    expect(errorIn(gone)).toMatchObject({ code: 'FLAVOR_NOT_FOUND', message: 'there is no flavor "ci"' });
    expect(await readdir(home.locks)).toEqual([]);
  });

  it('keep a name that looks like a number as it was written', async () => {
    const { run } = await newProgram();
    for (const name of ['007', '1e3', '0x10', '.5']) {
      expect((await run('flavor', 'create', name, '--memory', '512')).exitCode).toBe(0);
      expect(JSON.parse((await run('flavor', 'show', name, '--format=json')).stdout)).toMatchObject({ name });
    }
  });

  it('have one vCPU and the image’s own disk unless it is said otherwise', async () => {
    const { run } = await newProgram();
    const { stdout } = await run('flavor', 'create', 'ci', '--memory', '512');
    expect(stdout).toContain("| ci   | 512 MiB |     1 | image's own | own    |");
  });

  it('refuse a hostile name with exit code 2, and never print it raw', async () => {
    const { run } = await newProgram();
    const { exitCode, stdout, stderr } = await run('flavor', 'create', 'a\x1b[2J\nb', '--memory', '1');
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).not.toContain('\x1b');
    expect(stderr.split('\n')[0]).toContain('the flavor\'s name "a\\u001b[2J\\nb"');
  });

  it('are kept in the home that --home names', async () => {
    const { home, run } = await newProgram();
    const other = join(home.root, 'other');
    await run('flavor', 'create', 'ci', '--memory', '512', '--home', other);
    expect(await readdir(other)).toContain('flavors.json');
    expect((await run('flavor', 'show', 'ci')).exitCode).toBe(1);
    expect((await run('--home', other, 'flavor', 'show', 'ci')).exitCode).toBe(0);
  });
});

describe('an empty list', () => {
  it.each([
    [['list'], 'there are no instances yet:  launch IMAGE   (launch image list)'],
    [['image', 'list'], 'there are no images yet:  launch image import FILE --name NAME'],
  ])('says on stderr what to do next: %j', async (args, words) => {
    const { run } = await newProgram();
    const { exitCode, stdout, stderr } = await run(...args);
    expect([exitCode, stdout]).toEqual([0, '']);
    expect(stderr).toContain(words);
  });

  it.each([[['list']], [['image', 'list']]])(
    'is an empty array as JSON, and nothing else: %j',
    async (args) => {
      const { run } = await newProgram();
      expect(await run(...args, '--format', 'json')).toEqual({ exitCode: 0, stdout: '[]\n', stderr: '' });
    },
  );

  it('is silent when it is asked to be', async () => {
    const { run } = await newProgram();
    expect(await run('list', '--quiet')).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    expect(await run('-q', 'image', 'list')).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });
});

describe('image list', () => {
  it('shows images as Glance does, and damaged ones with what to do', async () => {
    const { home, run } = await newProgram();
    const image = sampleImage({ name: 'fedora\u202e-17' });
    const damaged = 'fd0cb2f1-8375-44c9-b1f4-3e1f4c4a8ef0';
    for (const [id, record] of [
      [image.id, renderRecord(image)],
      [damaged, '{'],
    ] as const) {
      await mkdir(home.image(id).directory, { recursive: true });
      await writeFile(home.image(id).record, record);
    }
    const { exitCode, stdout, stderr } = await run('image', 'list');
    expect(exitCode).toBe(0);
    expect(stdout).toContain(
      `| ${image.id} | fedora\\u202e-17 | qcow2       | bare             | 251985920 | active |`,
    );
    expect(stderr).toContain(`launch image remove ${damaged}`);
    const json = JSON.parse((await run('image', 'list', '--format=json')).stdout) as unknown;
    expect(json).toEqual([{ ...image, containerFormat: 'bare', status: 'active' }]);
  });
});

describe('image import', () => {
  it.each([
    [['--format', 'json', '--format', 'qcow2']],
    [['--format', 'qcow2', '--format', 'json']],
    [['--format=json', '--disk-format', 'qcow2']],
    [['--format=qcow2', '--format=json']],
  ])('takes a disk’s format and the output’s by the same option: %j', async (formats) => {
    const { home, run } = await newProgram();
    const path = join(home.root, 'nothing.qcow2');
    const outcome = await run('image', 'import', path, ...formats);
    expect([outcome.exitCode, outcome.stdout]).toEqual([1, '']);
    expect(errorIn(outcome)).toMatchObject({ code: 'IMAGE_UNREADABLE' });
  });

  it('reports as text where only the disk’s format is given', async () => {
    const { home, run } = await newProgram();
    const path = join(home.root, 'nothing.qcow2');
    for (const formats of [['--format', 'qcow2'], ['--format=table', '--format=vmdk'], []]) {
      const { exitCode, stderr } = await run('image', 'import', path, ...formats);
      expect(exitCode).toBe(1);
      expect(stderr).toContain('launch: cannot import');
    }
  });

  it('holds the disk to the format that was said', async () => {
    const { home, run } = await newProgram();
    const path = join(home.root, 'text.img');
    await writeFile(path, 'not a disk of any kind, only text'.padEnd(1024 * 1024));
    const outcome = await run('image', 'import', path, '--format', 'json', '--format', 'qcow2');
    expect(outcome.exitCode).toBe(1);
    expect(errorIn(outcome)['code']).toMatch(/^IMAGE_FORMAT_/);
    expect(await readdir(home.images)).toEqual([]);
  });

  it.each([
    [['--format', 'frob']],
    [['--format=']],
    [['--format']],
    [['--format', 'json', '--format', 'frob']],
  ])('refuses a format that is neither: %j', async (formats) => {
    const { run } = await newProgram();
    expect((await run('image', 'import', '/nothing.qcow2', ...formats)).exitCode).toBe(2);
  });

  // Only args[0] is looked at: behind an option of the program, --format is the output's again.
  it.each([[['-q']], [['--home', '/nowhere']], [['--verbose']]])(
    'takes a disk’s format also behind the program’s own options: %j',
    async (options) => {
      const { run } = await newProgram();
      const outcome = await run(...options, 'image', 'import', '/nothing.qcow2', '--format', 'qcow2');
      expect(outcome.exitCode).toBe(1);
    },
  );
});

describe('what does not exist', () => {
  it.each([
    [['cirros'], 'IMAGE_NOT_FOUND', 'there is no image "cirros"'],
    [['run', 'list'], 'IMAGE_NOT_FOUND', 'there is no image "list"'],
    [['image', 'show', 'cirros'], 'IMAGE_NOT_FOUND', 'there is no image "cirros"'],
    [['show', 'web'], 'INSTANCE_NOT_FOUND', 'there is no instance "web"'],
    [['flavor', 'show', 'big'], 'FLAVOR_NOT_FOUND', 'there is no flavor "big"'],
    [['template', 'show', 'big'], 'TEMPLATE_NOT_FOUND', undefined],
  ])('is refused with exit code 1: %j', async (args, code, message) => {
    const { run } = await newProgram();
    const outcome = await run(...args, '--format', 'json');
    expect([outcome.exitCode, outcome.stdout]).toEqual([1, '']);
    const error = errorIn(outcome);
    expect(error['code']).toBe(code);
    expect(error['hint']).toBeTypeOf('string');
    if (message !== undefined) expect(error['message']).toBe(message);
  });
});

describe('templates', () => {
  it('are listed and printed, without libvirt', async () => {
    const { run } = await newProgram();
    expect((await run('template', 'list')).stdout).toMatch(/\| linux +\| /);
    expect((await run('template', 'show', 'linux')).stdout).toMatch(/^<.*<\/domain>\n$/s);
  });
});

// yargs ends completion by process.exit, which we rightly keep from it; then the default command runs, and
// `launch completion` looks for an image of that name.
describe('completion', () => {
  it('prints a script', async () => {
    const { run } = await newProgram();
    const { exitCode, stdout, stderr } = await run('completion');
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toContain('--get-yargs-completions');
  });

  it.each([
    ['an argument', ['flavor', 'show', ''], 'm1.small'],
    ['an option', ['run', 'fedora-17', '--flavor', ''], 'm1.small'],
    ['an option that is begun', ['run', 'fedora-17', '--flavor', 'm1'], 'm1.small'],
  ])('offers names for %s', async (_what, words, name) => {
    const { run } = await newProgram();
    const { exitCode, stdout } = await run('--get-yargs-completions', 'launch', ...words);
    expect(exitCode).toBe(0);
    expect(stdout.split('\n')).toContain(name);
  });
});
