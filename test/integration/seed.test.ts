import { chmod, copyFile, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it, onTestFinished } from 'vitest';

import { parseDomain } from '../../src/domain/parse-domain.js';
import { asMaker } from '../../src/host/maker.js';
import type { WorkEvent } from '../../src/host/work.js';
import { startInstance, stopInstance } from '../../src/instance/change-state.js';
import { deleteInstance } from '../../src/instance/delete-instance.js';
import { launchInstance, previewLaunch } from '../../src/instance/launch-instance.js';
import { openHost } from '../../src/instance/open-host.js';
import type { SeedRequest } from '../../src/instance/seed/plan-seed.js';
import { ensureHomeKey, findSeedKeys } from '../../src/instance/seed/seed-keys.js';
import { showSeed } from '../../src/instance/seed/show-seed.js';
import {
  expectRefusal,
  importTiny,
  listLitter,
  openIntegrationHost,
  samplePublicKey,
  snapshotTree,
  type IntegrationHost,
} from '../support/integration-host.js';

const bare = { image: 'tiny', virtType: 'qemu', diskGib: 1, wait: { kind: 'none' } } as const;

async function newHost(): Promise<IntegrationHost> {
  const host = await openIntegrationHost();
  await importTiny(host);
  return host;
}

/** What xorriso, which is not ours, reads in an image: its label, and its files as `path → text`. */
async function readWithXorriso(host: IntegrationHost, image: string) {
  const out = join(host.directory, 'extracted');
  await rm(out, { recursive: true, force: true });
  const { stderr } = await execa('xorriso', [
    ...['-osirrox', 'on:auto_chmod_on', '-indev', image, '-pvd_info', '-toc', '-extract', '/', out],
  ]).then(({ stdout, stderr: words }) => ({ stderr: `${stdout}\n${words}` }));
  await execa('chmod', ['-R', 'u+rwX', out]);
  const { stdout } = await execa('find', [out, '-type', 'f', '-printf', '%P\n']);
  const paths = stdout.split('\n').filter((path) => path !== '');
  const texts = await Promise.all(paths.map((path) => readFile(join(out, path), 'utf8')));
  return {
    label: /Volume Id +: (\S+)/.exec(stderr)?.[1],
    files: Object.fromEntries(paths.map((path, index) => [path, texts[index]])),
    /** The names that Windows sees. */
    jolietPaths: await listByJoliet(image),
    sizeBytes: 2048 * Number(/(\d+) data blocks/.exec(stderr)?.[1]),
  };
}

async function listByJoliet(image: string): Promise<readonly string[]> {
  const { stdout } = await execa('xorriso', [
    '-read_fs',
    'norock',
    '-indev',
    image,
    '-find',
    '/',
    '-type',
    'f',
  ]);
  return [...stdout.matchAll(/^'\/(.*)'$/gm)].map(([, path = '']) => path).sort();
}

describe('a seed', () => {
  it('is a disk behind the root disk, with the user’s key, and its domain says so', async () => {
    const host = await newHost();
    const { instance } = await launchInstance(host, { ...bare, name: 'Web 1' });
    const { seed } = host.home.instance(instance.domainName);
    expect(instance.seed).toEqual({ kind: 'nocloud', hostname: 'web-1', needsNetwork: false });
    // The sample key has no private part beside it.
    expect(instance.login).toEqual({ user: null, identityFile: null });
    const { label, files, jolietPaths, sizeBytes } = await readWithXorriso(host, seed);
    expect(label).toBe('cidata');
    expect(Object.keys(files).sort()).toEqual(['meta-data', 'user-data']);
    expect(jolietPaths).toEqual(['meta-data', 'user-data']);
    expect(sizeBytes).toBe((await stat(seed)).size);
    expect(files['meta-data']).toContain(`instance-id: "${instance.uuid}"`);
    expect(files['meta-data']).toContain(samplePublicKey);
    expect((await stat(seed)).mode & 0o777).toBe(0o600);
    const xml = await host.hypervisor.readDomainXml(instance.uuid);
    expect(parseDomain(xml).disks[1]).toMatchObject({
      ...{
        target: 'vdb',
        bus: 'virtio',
        device: 'disk',
        sourcePath: seed,
        driverType: 'raw',
        isReadOnly: true,
      },
    });
    expect(xml).toContain('>ds=nocloud<');
    await deleteInstance(host, instance.domainName);
    expect(await listLitter(host, [])).toEqual(expect.not.arrayContaining([expect.stringContaining('seed')]));
  });

  it('is a config drive when asked for, which xorriso reads too', async () => {
    const host = await newHost();
    const userData = join(host.directory, 'ud');
    await writeFile(userData, '#!/bin/sh\necho hello\n');
    const { instance } = await launchInstance(host, {
      ...bare,
      seed: { kind: 'config-drive', userData: [userData], hostname: 'db.example.com' },
    });
    const { label, files, jolietPaths } = await readWithXorriso(
      host,
      host.home.instance(instance.domainName).seed,
    );
    expect(jolietPaths).toEqual(Object.keys(files).sort());
    expect(label).toBe('config-2');
    const latest = files['openstack/latest/meta_data.json'] ?? '';
    expect(latest).toBe(files['openstack/2025-04-04/meta_data.json']);
    expect(JSON.parse(latest)).toMatchObject({ uuid: instance.uuid, hostname: 'db.example.com' });
    expect(files['openstack/latest/user_data']).toBe('#!/bin/sh\necho hello\n');
    const networks = JSON.parse(files['openstack/latest/network_data.json'] ?? '') as {
      links: { ethernet_mac_address: string }[];
    };
    expect(networks.links.map((link) => link.ethernet_mac_address)).toEqual(
      instance.interfaces.map(({ macAddress }) => macAddress),
    );
    expect(await host.hypervisor.readDomainXml(instance.uuid)).not.toContain('ds=nocloud');
  });

  it('joins all kinds, and is shown without what is private', async () => {
    const host = await newHost();
    const path = (name: string) => join(host.directory, name);
    await writeFile(path('ud'), '#cloud-config\npassword: hunter2\nruncmd: [first]\n');
    await writeFile(path('motd'), 'x'.repeat(5000));
    await chmod(path('motd'), 0o750);
    await writeFile(path('net'), 'version: 2\nethernets: {eth0: {dhcp4: true}}\n');
    const { instance } = await launchInstance(host, {
      ...bare,
      seed: {
        userData: [path('ud')],
        user: 'alice',
        run: ['second'],
        files: [
          { local: path('motd'), remote: '/etc/motd' },
          { local: path('net'), remote: '/root/net', mode: 0o600 },
        ],
        networkConfig: path('net'),
      },
    });
    expect(instance.login.user).toBe('alice');
    const shown = await showSeed(host, instance.domainName);
    expect(shown.documents.map((document) => [document.path, document.parts.length])).toEqual([
      ['meta-data', 1],
      ['network-config', 1],
      ['user-data', 2],
    ]);
    const text = JSON.stringify(shown);
    expect(text).not.toContain('hunter2');
    for (const kept of [
      'first',
      'second',
      'alice',
      '0750',
      '0600',
      '5000 bytes, not shown',
      samplePublicKey,
    ]) {
      expect(text).toContain(kept);
    }
    // The disk itself has it all.
    const { files } = await readWithXorriso(host, shown.path);
    expect(files['user-data']).toContain('hunter2');
    expect(files['network-config']).toBe('version: 2\nethernets: {eth0: {dhcp4: true}}\n');
  });

  it('waits for the network when something has to be fetched', async () => {
    const host = await newHost();
    await writeFile(join(host.directory, 'ud'), '#include\nhttps://example.com/\n');
    const { instance } = await launchInstance(host, {
      ...bare,
      seed: { userData: [join(host.directory, 'ud')] },
    });
    expect(await host.hypervisor.readDomainXml(instance.uuid)).toContain('>ds=nocloud;dsmode=net<');
  });

  it('is not made when none is wanted', async () => {
    const host = await newHost();
    const { instance } = await launchInstance(host, { ...bare, seed: { kind: 'none' } });
    expect(instance).toMatchObject({ seed: null, login: { user: null, identityFile: null } });
    const xml = await host.hypervisor.readDomainXml(instance.uuid);
    expect(parseDomain(xml).disks).toHaveLength(1);
    expect(xml).toContain(`<entry name="serial">${instance.uuid}</entry>`);
    await expectRefusal(showSeed(host, instance.domainName), 'INSTANCE_STATE');
  });

  it('is missed by its name at a start', async () => {
    const host = await newHost();
    const { instance } = await launchInstance(host, bare);
    await stopInstance(host, instance.domainName, { timeoutMs: 0 });
    await rm(host.home.instance(instance.domainName).seed);
    const error = await expectRefusal(startInstance(host, instance.domainName), 'DISK_MISSING');
    expect(error.message).toContain('disk.seed');
  });

  it('goes with a launch that fails behind it', async () => {
    const host = await newHost();
    await launchInstance(host, bare).then(({ instance }) => deleteInstance(host, instance.domainName));
    const before = (await snapshotTree(host.home.root)).map((line) => line.split('\t')[0] ?? '');
    host.hypervisor.failAt('startDomain');
    await expectRefusal(launchInstance(host, bare), 'HYPERVISOR_FAILED');
    expect(await listLitter(host, before)).toEqual([]);
  });

  it('does not make anything of what it refuses', async () => {
    const host = await newHost();
    const path = (name: string, content: string) => {
      const file = join(host.directory, name);
      return writeFile(file, content).then(() => file);
    };
    const bad = await path('bad', '#cloud-config\na: [\n');
    const key = await path('key', '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n');
    const refused: readonly SeedRequest[] = [
      { userData: [bad] },
      { userData: [join(host.directory, 'missing')] },
      { userData: [host.directory] },
      { keys: [key] },
      { keys: ['-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA'] },
      { keys: ['agent'] },
      { hostname: 'a b' },
      { user: 'A' },
      { run: [' '] },
      { files: [{ local: bad, remote: 'etc/motd' }] },
      { files: [{ local: '/dev/zero', remote: '/a' }] },
      { networkConfig: bad },
      { networkConfig: bad, kind: 'config-drive' },
      { kind: 'none', user: 'alice' },
      { kind: 'none', keys: [key] },
    ];
    const before = await snapshotTree(host.home.root);
    for (const seed of refused) {
      const error = await expectRefusal(launchInstance(host, { ...bare, seed }), 'ARGUMENT_INVALID');
      expect(error.message + (error.hint ?? '')).not.toContain('AAAA');
    }
    expect(await snapshotTree(host.home.root)).toEqual(before);
  });
});

/** Work whose notices are kept. */
function listen() {
  const notices: string[] = [];
  const onEvent = (event: WorkEvent) => {
    if (event.type === 'notice') notices.push(event.message);
  };
  return { notices, work: { onEvent } };
}

describe('keys', () => {
  /** A host whose user has nothing, and one key that ssh-keygen makes. */
  async function withKey() {
    const host = await openIntegrationHost();
    await rm(join(host.directory, 'ssh', 'id_ed25519.pub'));
    const file = join(host.directory, 'mine');
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'mine', '-f', file]);
    const publicKey = (await readFile(`${file}.pub`, 'utf8')).trim();
    return { host, file, publicKey };
  }

  it('are of the file that is named, public or private, with its private part where it is', async () => {
    const { host, file, publicKey } = await withKey();
    const both = { publicKeys: [publicKey], identityFile: file, toBeMade: false };
    expect(await findSeedKeys(host, [file], {})).toEqual(both);
    expect(await findSeedKeys(host, [`${file}.pub`], {})).toEqual(both);
    await copyFile(`${file}.pub`, join(host.directory, 'alone.pub'));
    expect(await findSeedKeys(host, [join(host.directory, 'alone.pub')], {})).toEqual({
      ...both,
      identityFile: undefined,
    });
  });

  it('cannot be made of a private one alone, and the cure that is told works', async () => {
    const { host, file, publicKey } = await withKey();
    await rm(`${file}.pub`);
    const error = await expectRefusal(findSeedKeys(host, [file], {}), 'ARGUMENT_INVALID');
    const command = /ssh-keygen .*/.exec(error.hint ?? '')?.[0] ?? '';
    await execa('sh', ['-c', command]);
    expect((await findSeedKeys(host, [file], {})).publicKeys).toEqual([publicKey]);
  });

  it('are the user’s own by default, and one that cannot be read is passed over', async () => {
    const { host, file, publicKey } = await withKey();
    const directory = join(host.directory, 'ssh');
    await copyFile(file, join(directory, 'id_ed25519'));
    await copyFile(`${file}.pub`, join(directory, 'id_ed25519.pub'));
    await writeFile(join(directory, 'id_broken.pub'), 'nonsense');
    const { notices, work } = listen();
    expect(await findSeedKeys(host, undefined, work)).toEqual({
      ...{ publicKeys: [publicKey], identityFile: join(directory, 'id_ed25519'), toBeMade: false },
    });
    expect(notices.join()).toContain('id_broken.pub');
  });

  it('come from the agent, when there are no files', async () => {
    const { host, file, publicKey } = await withKey();
    const socket = join(host.directory, 'agent');
    const { stdout } = await execa('ssh-agent', ['-a', socket]);
    const pid = /SSH_AGENT_PID=(\d+)/.exec(stdout)?.[1] ?? '';
    onTestFinished(async () => {
      await execa('kill', [pid]);
    });
    const user = { name: 'tester', sshDirectory: join(host.directory, 'ssh'), sshAgentSocket: socket };
    const withAgent = { ...host, user };
    const empty = await expectRefusal(findSeedKeys(withAgent, ['agent'], {}), 'ARGUMENT_INVALID');
    expect(empty.message).toContain('The agent has no identities');
    expect((await findSeedKeys(withAgent, undefined, {})).toBeMade).toBe(true);
    await execa('ssh-add', ['-q', file], { env: { SSH_AUTH_SOCK: socket } });
    const found = { publicKeys: [publicKey], identityFile: undefined, toBeMade: false };
    expect(await findSeedKeys(withAgent, ['agent'], {})).toEqual(found);
    expect(await findSeedKeys(withAgent, undefined, {})).toEqual(found);
  });

  it('are made once for the home of a user who has none, however many launches want one', async () => {
    const { host } = await withKey();
    const made = await Promise.all(
      [1, 2, 3, 4].map(() => asMaker(host.home, (maker) => ensureHomeKey(host, maker, {}))),
    );
    expect(host.runner.calls.filter(({ file }) => file === 'ssh-keygen')).toHaveLength(1);
    expect(new Set(made.map(({ publicKeys }) => publicKeys[0])).size).toBe(1);
    const identityFile = join(host.home.keys, 'id_ed25519');
    expect(made[0]).toMatchObject({ identityFile, toBeMade: false });
    expect((await stat(identityFile)).mode & 0o777).toBe(0o600);
    expect((await stat(host.home.keys)).mode & 0o777).toBe(0o700);
    expect(await listLitter(host, ['keys/', 'keys/id_ed25519', 'keys/id_ed25519.pub'])).toEqual([]);
  });

  it('are made by a launch, which says so, and not by a preview', async () => {
    const { host } = await withKey();
    await importTiny(host);
    const { notices, work } = listen();
    expect((await previewLaunch(host, bare)).plan.login.identityFile).toBe(
      join(host.home.keys, 'id_ed25519'),
    );
    await expect(stat(host.home.keys)).rejects.toThrow('ENOENT');
    const { instance } = await launchInstance(host, bare, work);
    expect(instance.login.identityFile).toBe(join(host.home.keys, 'id_ed25519'));
    expect(notices.filter((notice) => notice.includes('one was made'))).toHaveLength(1);
    const publicKey = (await readFile(join(host.home.keys, 'id_ed25519.pub'), 'utf8')).trim();
    expect(JSON.stringify(await showSeed(host, instance.domainName))).toContain(publicKey);
  });

  it('leave nothing when ssh-keygen fails', async () => {
    const { host } = await withKey();
    await mkdir(host.home.root, { recursive: true });
    host.runner.failAt(1, 'after');
    await expectRefusal(
      asMaker(host.home, (maker) => ensureHomeKey(host, maker, {})),
      'COMMAND_FAILED',
    );
    expect(await listLitter(host)).toEqual([]);
  });

  it('are the home’s where a program works for nobody', async () => {
    const host = openHost({
      home: join((await openIntegrationHost()).directory, 'other'),
      connect: 'test:///default',
    });
    expect(await findSeedKeys(host, undefined, {})).toMatchObject({ publicKeys: [], toBeMade: true });
  });
});
