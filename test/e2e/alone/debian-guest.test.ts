import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { canBuildDebianImage, requireDebianImage, type DebianImage } from '../../support/debian-image.js';
import { createE2eHost, virsh, type E2eHost } from '../../support/e2e-host.js';

/** What `launch … --format json` says of a guest that has come up. */
interface Launched {
  readonly domainName: string;
  readonly uuid: string;
  readonly stages: readonly { readonly stage: string; readonly atSeconds: number | null }[];
  readonly addresses: readonly { readonly address: string; readonly source: string }[];
  readonly sshEndpoint: { readonly address: string; readonly port: number };
  readonly loginUser: string;
}

const GiB = 1024 ** 3;
// A minute on a quiet machine; a busy one emulates it at a tenth of the speed.
const bootTimeout = '30m';
const hookTimeoutMs = 35 * 60_000;

const cloudConfig = `#cloud-config
write_files:
  - { path: /etc/told-by-user-data, content: "in so many words\\n" }
runcmd:
  - [ sh, -c, 'echo user-data >> /var/lib/order' ]
`;

/**
 * Two guests of the same image boot side by side, each once for all tests of this file: "deb" with all that a
 * seed can say on NoCloud, "drive" with a config drive and a command that fails.
 */
describe.skipIf(!canBuildDebianImage)(
  'a guest of the distribution, with cloud-init, sshd, growpart and an agent',
  () => {
    let host: E2eHost;
    let image: DebianImage;
    let scratch: string;
    let guest: Launched;
    let drive: { readonly exitCode: number; readonly stderr: string };

    beforeAll(async () => {
      image = await requireDebianImage();
      host = await createE2eHost();
      scratch = await mkdtemp(join(tmpdir(), 'launch-debian-'));
      await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key()]);
      await writeFile(join(scratch, 'user-data'), cloudConfig);
      await writeFile(join(scratch, 'motd: a "file"'), 'from the host\n');
      await chmod(join(scratch, 'motd: a "file"'), 0o640);
      await host.launchJson([
        ...['image', 'import', image.path, '--name', 'debian'],
        ...['--property', `os_admin_user=${image.adminUser}`],
      ]);
      const common = [
        ...[
          'debian',
          '--flavor',
          'm1.small',
          '--memory',
          '512',
          '--virt-type',
          'qemu',
          '--key',
          `${key()}.pub`,
        ],
        ...['--wait', 'cloud-init', '--timeout', bootTimeout],
      ];
      const [launched, driveOutcome] = await Promise.all([
        host.launchJson([
          ...[...common, '--name', 'deb', '--hostname', 'deb.example.org'],
          ...['--user', 'alice', '--user-data', join(scratch, 'user-data')],
          ...['--run', 'id -un >> /var/lib/order', '--run', "printf '%s\\n' 'a  b' >> /var/lib/order"],
          ...['--file', `${join(scratch, 'motd: a "file"')}:/srv/motd`],
        ]),
        host.launch([
          ...[...common, '--name', 'drive', '--seed', 'config-drive'],
          ...['--run', 'touch /var/lib/ran', '--run', 'exit 3'],
        ]),
      ]);
      guest = launched as Launched;
      drive = driveOutcome;
    }, hookTimeoutMs);
    afterAll(async () => {
      await host.dispose();
      await rm(scratch, { recursive: true, force: true });
    });

    const key = () => join(scratch, 'id_ed25519');
    /** What a command prints in a guest, through its agent; fails unless it ends with 0. */
    const inGuest = async (name: string, ...command: readonly string[]) => {
      const { exitCode, stdout, stderr } = await host.launch([
        'exec',
        name,
        '--via',
        'agent',
        '--',
        ...command,
      ]);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      return stdout;
    };

    it('is waited for until cloud-init has finished, with each stage on the way and its time', () => {
      const stages = guest.stages.map(({ stage }) => stage);
      expect(stages).toEqual(
        expect.arrayContaining(['boot loader', 'kernel', 'network', 'ssh', 'cloud-init']),
      );
      const times = guest.stages.flatMap(({ atSeconds }) => (atSeconds === null ? [] : [atSeconds]));
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    });

    it('is ready at once when it is waited for again', async () => {
      const started = performance.now();
      expect((await host.launch(['wait', 'deb', '--for', 'cloud-init', '--timeout', '60s'])).exitCode).toBe(
        0,
      );
      expect(performance.now() - started).toBeLessThan(30_000);
    });

    describe('knows from its NoCloud seed', () => {
      it('where the seed is', async () => {
        const result = JSON.parse(await inGuest('deb', 'cat', '/run/cloud-init/result.json')) as {
          v1: { datasource: string; errors: string[] };
        };
        expect(result.v1.datasource).toMatch(/^DataSourceNoCloud \[seed=dmi,\/dev\/vdb\]/);
        expect(result.v1.errors).toEqual([]);
        expect(await inGuest('deb', 'cat', '/var/lib/cloud/data/instance-id')).toBe(`${guest.uuid}\n`);
      });

      it('its name', async () => {
        expect(await inGuest('deb', 'hostname')).toBe('deb\n');
        expect(await inGuest('deb', 'hostname', '--fqdn')).toBe('deb.example.org\n');
      });

      it('its users and their key, and nobody else', async () => {
        const publicKey = (await readFile(`${key()}.pub`, 'utf8')).trim();
        for (const user of ['alice', image.adminUser]) {
          expect(await inGuest('deb', 'cat', `/home/${user}/.ssh/authorized_keys`)).toContain(publicKey);
        }
        // Nobody has a password.
        const shadow = await inGuest('deb', 'cut', '-d:', '-f2', '/etc/shadow');
        expect(shadow.trim().split('\n')).toSatisfy((hashes: string[]) =>
          hashes.every((one) => /^[!*]/.test(one)),
        );
      });

      it('what its user-data says, and then what --run says, as root and in this order', async () => {
        expect(await inGuest('deb', 'cat', '/etc/told-by-user-data')).toBe('in so many words\n');
        expect(await inGuest('deb', 'cat', '/var/lib/order')).toBe('user-data\nroot\na  b\n');
      });

      it('the file that it was to have, with its mode', async () => {
        expect(await inGuest('deb', 'cat', '/srv/motd')).toBe('from the host\n');
        expect(await inGuest('deb', 'stat', '-c', '%a %U', '/srv/motd')).toBe('640 root\n');
      });
    });

    it('has grown its root file system to the 20 GiB of the flavor', async () => {
      expect(Number(await inGuest('deb', 'blockdev', '--getsize64', '/dev/vda'))).toBe(20 * GiB);
      const sizes =
        (await inGuest('deb', 'df', '-B1', '--output=size,avail', '/')).trim().split('\n')[1] ?? '';
      const [size, available] = sizes.trim().split(/\s+/).map(Number);
      // ext4 keeps some for its tables and for root.
      expect(size).toBeGreaterThan(19 * GiB);
      expect(available).toBeGreaterThan(18 * GiB);
    });

    it('tells through its agent the address that it got', async () => {
      const [{ address } = { address: '' }] = guest.addresses;
      expect(guest.sshEndpoint).toEqual({ address, port: 22 });
      expect(await virsh('domifaddr', guest.domainName, '--source', 'agent')).toContain(` ${address}/`);
      expect((await host.launch(['list'])).stdout).toContain(`default=${address}`);
    });

    describe('lets one work in it', () => {
      it('by ssh, as the user that was asked for, who may do all', async () => {
        const { exitCode, stdout } = await host.launch(['ssh', 'deb', '--', 'id -un; sudo id -un; exit 42']);
        expect({ exitCode, stdout }).toEqual({ exitCode: 42, stdout: 'alice\nroot\n' });
      });

      it('by ssh as the user of the image, too', async () => {
        const { stdout } = await host.launch(['ssh', 'deb', '--user', image.adminUser, '--', 'id', '-un']);
        expect(stdout).toBe(`${image.adminUser}\n`);
      });

      it('by exec through the agent, faithful to words, both outputs and the exit code', async () => {
        const script = 'printf "%s|" "$@"; echo lost >&2; exit 7';
        const command = ['sh', '-c', script, 'sh', "it's", 'a  b', '$HOME', ''];
        expect(await host.launch(['exec', 'deb', '--via', 'agent', '--', ...command])).toEqual({
          exitCode: 7,
          stdout: "it's|a  b|$HOME||",
          stderr: 'lost\n',
        });
      });

      it('by exec through ssh, alike', async () => {
        const script = 'printf "%s|" "$@"; echo lost >&2; exit 7';
        const command = ['sh', '-c', script, 'sh', "it's", 'a  b', '$HOME', ''];
        expect(await host.launch(['exec', 'deb', '--via', 'ssh', '--', ...command])).toMatchObject({
          exitCode: 7,
          stdout: "it's|a  b|$HOME||",
          stderr: expect.stringMatching(/^lost$/m) as string,
        });
      });

      it('by cp, there and back, a file and a folder', async () => {
        await mkdir(join(scratch, 'folder', 'deep'), { recursive: true });
        const content = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7) % 256));
        await writeFile(join(scratch, 'folder', 'deep', 'odd name'), content);
        const copy = async (...args: readonly string[]) => {
          expect(await host.launch(['cp', ...args])).toMatchObject({ exitCode: 0 });
        };
        await copy('-r', join(scratch, 'folder'), 'deb:');
        expect(await inGuest('deb', 'stat', '-c', '%s %U', '/home/alice/folder/deep/odd name')).toBe(
          '100000 alice\n',
        );
        await copy('deb:folder/deep/odd name', join(scratch, 'back'));
        expect((await readFile(join(scratch, 'back'))).equals(content)).toBe(true);
        await copy('-r', 'deb:folder', join(scratch, 'folder-back'));
        expect((await readFile(join(scratch, 'folder-back', 'deep', 'odd name'))).equals(content)).toBe(true);
      });
    });

    describe('with a config drive', () => {
      it('ends the wait with what went wrong, and is left running', async () => {
        expect(drive.exitCode).toBe(1);
        expect(drive.stderr).toMatch(/booted, but what its user-data runs has failed/);
        expect(drive.stderr).toMatch(/launch ssh \S+ -- sudo cat \/var\/log\/cloud-init-output\.log/);
        expect((await host.launch(['list'])).stdout).toMatch(/drive\s.*ACTIVE/);
      });

      it('knows from it its name, its key and what to run', async () => {
        const result = JSON.parse(await inGuest('drive', 'cat', '/run/cloud-init/result.json')) as {
          v1: { datasource: string; errors: string[] };
        };
        expect(result.v1.datasource).toMatch(/DataSourceConfigDrive/);
        expect(await inGuest('drive', 'hostname')).toBe('drive\n');
        await inGuest('drive', 'test', '-e', '/var/lib/ran');
        const { stdout } = await host.launch(['ssh', 'drive', '--', 'id', '-un']);
        expect(stdout).toBe(`${image.adminUser}\n`);
      });
    });

    it('is stopped by its power button, and leaves nothing when it is deleted', async () => {
      const [stopped] = (await host.launchJson(['stop', 'deb', '--timeout', '5m'])) as {
        graceful: boolean;
      }[];
      expect(stopped).toMatchObject({ graceful: true });
      expect((await host.launch(['delete', 'deb', 'drive'])).exitCode).toBe(0);
      expect(await host.domainNames()).toEqual([]);
    });
  },
);
