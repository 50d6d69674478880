import { chmod, mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  createE2eHost,
  listTree,
  requireTinyImage,
  tinyImage,
  virsh,
  type E2eHost,
} from '../support/e2e-host.js';

const emulated = ['--virt-type', 'qemu', '--memory', '96', '--flavor', 'm1.tiny'];

describe('what is refused, and how', () => {
  let host: E2eHost;
  let before: readonly string[];

  beforeAll(async () => {
    await requireTinyImage();
    host = await createE2eHost();
    await host.launchJson(['image', 'import', tinyImage, '--name', 'tiny']);
    before = await listTree(host.home);
  });
  afterAll(() => host.dispose());

  const refuse = async (args: readonly string[]) => {
    const { exitCode, stdout, stderr } = await host.launch([...args, '--format', 'json']);
    expect(stdout).toBe('');
    const error = (JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as { error: Record<string, string> })
      .error;
    return { exitCode, ...error } as { exitCode: number; code: string; message: string; hint: string };
  };

  it('a flavor that does not exist: the error lists those that do', async () => {
    const error = await refuse(['tiny', '--flavor', 'm1.huge']);
    expect(error).toMatchObject({ exitCode: 1, code: 'FLAVOR_NOT_FOUND' });
    expect(error.hint).toBe('there are: m1.tiny, m1.small, m1.medium, m1.large, m1.xlarge');
  });

  it('a flavor smaller than the image, with both sizes', async () => {
    const big = join(host.home, 'big.qcow2');
    await execa('qemu-img', ['create', '-q', '-f', 'qcow2', big, '2G']);
    await host.launchJson(['image', 'import', big, '--name', 'big']);
    const error = await refuse(['big', '--flavor', 'm1.tiny']);
    expect(error.message).toBe(
      'cannot launch "big" as m1.tiny: the image needs 2 GiB of disk, the flavor has 1 GiB',
    );
    expect(error.code).toBe('FLAVOR_TOO_SMALL');
    await host.launch(['image', 'remove', 'big']);
    await rm(big);
  });

  it('an image, a network and a template that do not exist', async () => {
    expect((await refuse(['nothing'])).code).toBe('IMAGE_NOT_FOUND');
    const network = await refuse(['tiny', '--network', 'no-such-network', ...emulated]);
    expect(network.code).toBe('NETWORK_NOT_FOUND');
    expect(network.hint).toContain('default');
    expect((await refuse(['tiny', '--template', 'no-such-template'])).code).toBe('TEMPLATE_NOT_FOUND');
  });

  it.each([
    ['a line break', 'a\nb'],
    ['an escape sequence', '\u001b[2Jx'],
    ['300 characters', 'x'.repeat(300)],
    ['nothing', ''],
    ['a space around', ' x '],
  ])('an instance name with %s', async (_what, name) => {
    expect(await refuse(['tiny', `--name=${name}`, ...emulated])).toMatchObject({
      exitCode: 2,
      code: 'NAME_INVALID',
    });
  });

  it.each(['../../etc/passwd', 'a/b', '..', '<domain>', `"quoted" 'twice' & <more>`, 'größe 北京'])(
    'not an instance name such as %s, which is a name and no path',
    async (name) => {
      const run = await host.launch([
        'tiny',
        '--name',
        name,
        ...emulated,
        '--network',
        'none',
        '--format',
        'json',
      ]);
      expect(run.exitCode, run.stderr).toBe(0);
      const { domainName } = JSON.parse(run.stdout) as { domainName: string };
      expect(((await host.launchJson(['show', name])) as { displayName: string }).displayName).toBe(name);
      expect(await virsh('desc', '--title', domainName)).toContain(name);
      await host.launch(['delete', name]);
    },
  );

  it('libvirtd that does not answer', async () => {
    const error = await refuse(['tiny', '--connect', 'qemu+unix:///system?socket=/nowhere/libvirt-sock']);
    expect(error).toMatchObject({ exitCode: 1, code: 'HYPERVISOR_UNREACHABLE' });
    expect(error.hint).toContain('is libvirtd running?');
  });

  it('a user who may not: neither the home nor libvirt', async () => {
    const run = await asNobody(host, ['list']);
    expect(run.exitCode).toBe(0);
    const denied = await asNobody(host, ['image', 'import', tinyImage, '--name', 'mine']);
    expect(denied.exitCode).toBe(1);
    expect(denied.stderr).toContain('permission denied');
    const launch = await asNobody(host, ['tiny', ...emulated]);
    expect(launch.exitCode).toBe(1);
    expect(launch.stderr).toMatch(/permission denied|cannot reach libvirt/i);
  });

  it.each([
    ['an empty file', Buffer.alloc(0), 'IMAGE_EMPTY'],
    ['a page that says 404', Buffer.from('<!DOCTYPE html><html>not found</html>'), 'IMAGE_FORMAT_UNKNOWN'],
  ])('%s as an image', async (_what, content, code) => {
    const path = join(host.home, 'stranger');
    await writeFile(path, content);
    expect((await refuse(['image', 'import', path])).code).toBe(code);
    await rm(path);
  });

  it('images that would open files of this host, or that are cut short', async () => {
    const path = join(host.home, 'evil.qcow2');
    await execa('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', path, '1G']);
    const backing = await refuse(['image', 'import', path]);
    expect(backing.message).toBe(
      'refused "evil.qcow2": it names a backing file ("/etc/passwd"), so its content would come from this host',
    );
    await writeFile(path, await readFile(tinyImage));
    await truncate(path, (await stat(path)).size - 4 * 1024 * 1024);
    expect((await refuse(['image', 'import', path])).code).toMatch(/IMAGE_(TRUNCATED|CORRUPT)/);
    await rm(path);
  });

  it('leaves nothing of all this', async () => {
    const left = (await listTree(host.home)).filter((path) => !before.includes(path));
    // What is made once for the home, and by which numbers grow.
    const lasting = /^instances(\/(_base|counter\.json)|$)|^locks\/image-|^keys(\/id_ed25519(\.pub)?|$)/;
    expect(left.filter((path) => !lasting.test(path))).toEqual([]);
    expect(await host.domainNames()).toEqual([]);
  });
});

describe('invariant 10: a full disk', () => {
  let host: E2eHost;
  let mountPoint: string;
  const big = `/tmp/launch-e2e-big-${process.pid}.raw`;

  beforeAll(async () => {
    mountPoint = `/tmp/launch-e2e-full-${process.pid}`;
    await mkdir(mountPoint);
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=24m,mode=755', 'launch-e2e', mountPoint]);
    host = await createE2eHost({ home: join(mountPoint) });
  });
  afterAll(async () => {
    for (const name of await host.domainNames()) await virsh('destroy', name).catch(() => '');
    await execa('umount', [mountPoint], { reject: false });
    await rm(mountPoint, { recursive: true, force: true });
    await rm(big, { force: true });
  });

  it('refuses an image that does not fit, with the bytes, and leaves nothing', async () => {
    await execa('dd', ['if=/dev/urandom', `of=${big}`, 'bs=1M', 'count=40']);
    for (const input of [undefined, await readFile(big)]) {
      const run =
        input === undefined
          ? await host.launch(['image', 'import', big])
          : await host.launch(['image', 'import', '-', '--name', 'big'], { input });
      expect(run.exitCode).toBe(1);
      expect(run.stderr).toMatch(
        input === undefined
          ? /it needs 40 MiB in ".*", and \d+ MiB are free/
          : /after \d+ MiB only \d+ KiB are free in ".*", and \d+ KiB are kept free/,
      );
      expect(await listTree(host.home)).toEqual(['images', 'locks']);
    }
  });

  it('refuses a base that does not fit, and everything else still works', async () => {
    await host.launchJson(['image', 'import', tinyImage, '--name', 'tiny']);
    const run = await host.launch(['tiny', ...emulated]);
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toMatch(/cannot launch "tiny": it needs \d+ MiB in ".*", and [\d.]+ MiB are free/);
    expect(await host.domainNames()).toEqual([]);
    expect((await listTree(host.home)).filter((path) => path.includes('tmp'))).toEqual([]);
    expect((await host.launch(['image', 'list'])).stdout).toContain('tiny');
    await execa('mount', ['-o', 'remount,size=96m', mountPoint]);
    const again = await host.launch(['tiny', ...emulated, '--network', 'none']);
    expect(again.exitCode, again.stderr).toBe(0);
    await host.launch(['delete', '--all', '--yes']);
  });
});

describe('type kvm', () => {
  let host: E2eHost;

  beforeAll(async () => {
    await requireTinyImage();
    host = await createE2eHost();
    await host.launchJson(['image', 'import', tinyImage, '--name', 'tiny']);
  });
  afterAll(() => host.dispose());

  it('starts where there is /dev/kvm, and says what to do where there is none', async () => {
    const run = await host.launch(['tiny', '--flavor', 'm1.tiny', '--network', 'none', '--virt-type', 'kvm']);
    if ((await stat('/dev/kvm').catch(() => undefined)) === undefined) {
      expect(run.exitCode).toBe(1);
      expect(run.stderr).toContain('there is no /dev/kvm on this host');
      return;
    }
    expect(run.exitCode, run.stderr).toBe(0);
    const [name] = await host.domainNames();
    expect(await virsh('dumpxml', name ?? '')).toMatch(/^<domain type='kvm'/);
    expect((await virsh('domstate', name ?? '')).trim()).toBe('running');
  });
});

/** Runs launch as a user without rights, who can read the program. */
async function asNobody(host: E2eHost, args: readonly string[]) {
  await chmod(host.home, 0o755);
  const result = await execa(
    'setpriv',
    ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, 'dist/main.cjs', ...args],
    { env: host.environment, reject: false, stdin: 'ignore' },
  );
  return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr };
}
