import { chmod, chown, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import {
  giveDiskTo,
  idOf,
  lookAt,
  openHostWithGuest,
  runQemuAs,
  switchOff,
  writeIn,
} from '../../support/examined-host.js';

const nobody = await idOf('nobody');
/** In no user database. */
const stranger = 61_234;

describe('access', () => {
  it.each([nobody, stranger])('is tried as the user that QEMU runs as (%i)', async (uid) => {
    const host = await openHostWithGuest();
    runQemuAs(host, uid);
    await giveDiskTo(host, uid);
    expect(await lookAt(host, 'access')).toMatchObject({ status: 'ok', problems: [] });
    await chmod(host.directory, 0o700);
    const look = await lookAt(host, 'access');
    expect(look.levels).toEqual(['failed']);
    expect(look.problems[0]?.found).toContain(`may not pass ${JSON.stringify(host.directory)}`);
    // Whoever else would get in by it is not ours to decide.
    expect(look.problems[0]?.cure.automatic).toBe(false);
    expect(look.problems[0]?.cure.command).toMatch(
      new RegExp(`^setfacl --modify u:${uid === nobody ? 'nobody' : uid}:x ${host.directory}$`),
    );
  });

  it('knows access control lists, as the kernel does', async () => {
    const host = await openHostWithGuest();
    runQemuAs(host, nobody);
    await giveDiskTo(host, nobody);
    await chmod(host.directory, 0o700);
    await execa('setfacl', ['--modify', `u:${nobody}:x`, host.directory]);
    expect(await lookAt(host, 'access')).toMatchObject({ status: 'ok' });
  });

  it('opens directories of its own', async () => {
    const host = await openHostWithGuest();
    runQemuAs(host, nobody);
    await giveDiskTo(host, nobody);
    await chmod(host.home.instances, 0o700);
    const before = await lookAt(host, 'access');
    expect(before).toMatchObject({
      status: 'failed',
      facts: { closed: expect.arrayContaining([host.home.instances]) as string[] },
    });
    const after = await lookAt(host, 'access', { fix: true });
    expect(after).toMatchObject({
      status: 'ok',
      done: [expect.stringContaining(host.home.instances) as string],
    });
    expect((await stat(host.home.instances)).mode & 0o777).toBe(0o711);
    expect((await lookAt(host, 'access', { fix: true })).done).toEqual([]);
  });

  it('tries each link of a chain that runs', async () => {
    const host = await openHostWithGuest();
    runQemuAs(host, nobody);
    await giveDiskTo(host, nobody);
    await chown(host.base, 0, 0);
    expect((await lookAt(host, 'access')).levels).toEqual([]);
    await chmod(host.base, 0o400);
    const look = await lookAt(host, 'access');
    expect(look.problems).toMatchObject([
      { level: 'failed', found: `QEMU may not read ${JSON.stringify(host.base)}` },
    ]);
    await chmod(host.base, 0o444);
    await chown(host.disk, 0, 0);
    expect((await lookAt(host, 'access')).problems[0]?.found).toBe(
      `QEMU may not write ${JSON.stringify(host.disk)}`,
    );
  });

  it('leaves a disk that is off to libvirt, unless libvirt was told to leave owners alone', async () => {
    const host = await openHostWithGuest();
    runQemuAs(host, nobody);
    await switchOff(host);
    const qemuConf = join(host.directory, 'qemu.conf');
    await writeIn(host.directory, 'qemu.conf', '#dynamic_ownership = 0\n');
    expect(await lookAt(host, 'access', { places: { qemuConf } })).toMatchObject({ status: 'ok' });
    await writeIn(host.directory, 'qemu.conf', 'dynamic_ownership = 0\n');
    const look = await lookAt(host, 'access', { places: { qemuConf } });
    expect(look.problems).toMatchObject([
      { level: 'failed', cure: { command: `chown nobody ${host.disk}` } },
    ]);
  });

  it('asks the program that makes the profiles of AppArmor', async () => {
    const host = await openHostWithGuest();
    runQemuAs(host, nobody, ['apparmor']);
    await giveDiskTo(host, nobody);
    expect(await lookAt(host, 'access')).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('under dac and apparmor') as string,
    });
    // The domain keeps its disk elsewhere now, and the profile is of that.
    const moved = join(host.directory, 'moved');
    await rename(host.disk, moved);
    await execa('cp', [moved, host.disk]);
    await giveDiskTo(host, nobody);
    const xml = await host.hypervisor.readDomainXml(host.uuid, { inactive: true });
    await switchOff(host);
    await host.hypervisor.defineDomain(xml.replaceAll(host.disk, moved));
    const look = await lookAt(host, 'access');
    expect(look.problems[0]).toMatchObject({ level: 'failed' });
    expect(look.problems[0]?.found).toContain(`AppArmor would not let ${host.domainName} open`);
  });
});

describe('owners', () => {
  const mark = async (path: string, timestamp: string) => {
    for (const [name, value] of [
      ['dac', '+0:+0'],
      ['ref_dac', '1'],
      ['timestamp_dac', timestamp],
    ] as const) {
      await execa('setfattr', ['--name', `trusted.libvirt.security.${name}`, '--value', value, path]);
    }
  };
  const bootTime = async () => /^btime (\d+)$/m.exec((await execa('cat', ['/proc/stat'])).stdout)?.[1] ?? '';

  it('takes off what libvirt remembers of a disk that nobody uses', async () => {
    const host = await openHostWithGuest();
    runQemuAs(host, nobody);
    await giveDiskTo(host, nobody);
    await chown(host.base, 0, 0);
    await mark(host.disk, await bootTime());
    // It runs, so libvirt is right.
    expect(await lookAt(host, 'owners')).toMatchObject({ status: 'ok', problems: [] });
    await switchOff(host);
    const look = await lookAt(host, 'owners');
    expect(look.levels).toEqual(['warning']);
    expect(look.problems[0]?.found).toContain('libvirt counts 1 user of');
    expect(await lookAt(host, 'owners', { fix: true })).toMatchObject({ status: 'ok', problems: [] });
    expect(await stat(host.disk)).toMatchObject({ uid: 0, gid: 0 });
    const { stdout } = await execa('getfattr', ['--dump', '--match', '-', host.disk]);
    expect(stdout).not.toContain('trusted.libvirt');
  });

  it('lets be what is from before the last boot: libvirt drops it itself', async () => {
    const host = await openHostWithGuest();
    await switchOff(host);
    await mark(host.disk, '1000000000');
    expect(await lookAt(host, 'owners')).toMatchObject({ status: 'ok', problems: [] });
  });

  it('takes back a base that was left with QEMU’s user, and closes one that can be written', async () => {
    const host = await openHostWithGuest();
    runQemuAs(host, nobody);
    await chown(host.base, nobody, nobody);
    const left = await lookAt(host, 'owners');
    expect(left).toMatchObject({ status: 'ok', levels: ['note'] });
    await lookAt(host, 'owners', { fix: true });
    expect((await stat(host.base)).uid).toBe(0);
    await chmod(host.base, 0o666);
    expect(await lookAt(host, 'owners')).toMatchObject({ status: 'warning' });
    expect(await lookAt(host, 'owners', { fix: true })).toMatchObject({ status: 'ok', problems: [] });
    expect((await stat(host.base)).mode & 0o777).toBe(0o444);
  });
});
