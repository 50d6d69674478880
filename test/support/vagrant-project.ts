import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const cache = fileURLToPath(new URL('../../.cache/vagrant/', import.meta.url));

/** "tiny", with Vagrant's published key for root: made by test/vagrant/run. */
export const tinyForVagrant = join(cache, 'tiny.qcow2');
/** A host to test launch in: made by vagrant/build-box. */
export const hostBox = join(cache, 'launch-host.box');

/** Vagrant with boxes, storage pool, network and state of its own, on the real libvirtd. */
export interface VagrantProject {
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Runs vagrant and gives what it printed; throws when it fails. */
  vagrant(args: readonly string[], options?: { readonly timeoutMs?: number }): Promise<string>;
  /** What libvirt has that was made for this project: domains, networks, volumes. */
  remains(): Promise<readonly string[]>;
  /** Removes everything, whatever state it is in. */
  dispose(): Promise<void>;
}

interface ProjectOptions {
  /** Ruby; what `vagrant up` brings up. By default the caller's Vagrantfile is used: see `vagrantDirectory`. */
  readonly vagrantfile?: (names: { readonly network: string; readonly pool: string }) => string;
  /** Where a Vagrantfile lies already; it gets its names from LAUNCH_VAGRANT_*. */
  readonly vagrantDirectory?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export async function createVagrantProject(options: ProjectOptions): Promise<VagrantProject> {
  const directory = await mkdtemp(join(tmpdir(), 'launch-vagrant-'));
  await chmod(directory, 0o755);
  const token = Math.random().toString(36).slice(2, 8);
  const names = { network: `lv-${token}`, pool: `lv-${token}`, prefix: `lv-${token}-` };
  const images = join(directory, 'images');
  await mkdir(images, { mode: 0o711 });
  await virsh('pool-define-as', names.pool, 'dir', '--target', images);
  await virsh('pool-start', names.pool);
  if (options.vagrantfile !== undefined) {
    await writeFile(join(directory, 'Vagrantfile'), options.vagrantfile(names));
  }
  const environment = {
    VAGRANT_HOME: join(directory, 'home'),
    VAGRANT_CWD: options.vagrantDirectory ?? directory,
    VAGRANT_DOTFILE_PATH: join(directory, 'state'),
    VAGRANT_DEFAULT_PROVIDER: 'libvirt',
    VAGRANT_CHECKPOINT_DISABLE: '1',
    VAGRANT_NO_COLOR: '1',
    LAUNCH_VAGRANT_POOL: names.pool,
    LAUNCH_VAGRANT_PREFIX: names.prefix,
    LAUNCH_VAGRANT_NETWORK_NAME: names.network,
    ...options.environment,
  };
  const run = (args: readonly string[], timeoutMs = 600_000) =>
    execa('vagrant', args, {
      ...{ env: environment, cwd: directory, all: true, reject: false, stdin: 'ignore', timeout: timeoutMs },
    });
  const remains = async () => {
    const lists = await Promise.all([
      virsh('list', '--all', '--name'),
      virsh('net-list', '--all', '--name'),
      virsh('vol-list', names.pool).catch(() => ''),
    ]);
    const [domains, networks, volumes] = lists;
    const known = [...words(domains), ...words(networks)].filter((name) => name.startsWith(names.network));
    return [...known, ...words(volumes)];
  };
  return {
    directory,
    environment,
    remains,
    vagrant: async (args, { timeoutMs } = {}) => {
      const result = await run(args, timeoutMs);
      if (result.exitCode !== 0) throw new Error(`vagrant ${args.join(' ')} failed:\n${result.all}`);
      return result.stdout;
    },
    dispose: async () => {
      await run(['destroy', '--force']);
      for (const name of (await virsh('list', '--all', '--name')).split('\n')) {
        if (!name.startsWith(names.prefix)) continue;
        await virsh('destroy', name).catch(() => '');
        await virsh('undefine', name).catch(() => '');
      }
      for (const verb of ['net-destroy', 'net-undefine']) await virsh(verb, names.network).catch(() => '');
      // What vagrant-libvirt leaves in a pool: the boxes' volumes.
      for (const verb of ['pool-destroy', 'pool-undefine']) await virsh(verb, names.pool).catch(() => '');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A Vagrantfile for one emulated guest of the box "tiny", which has busybox and root only. */
export function tinyVagrantfile(names: { readonly network: string; readonly pool: string }): string {
  return `Vagrant.configure('2') do |config|
  config.vm.box = 'tiny'
  config.vm.synced_folder '.', '/vagrant', disabled: true
  config.ssh.insert_key = false
  config.ssh.shell = 'sh'
  config.ssh.sudo_command = '%c'
  config.vm.boot_timeout = 600
  config.vm.provider :libvirt do |libvirt|
    libvirt.driver = 'qemu'
    libvirt.cpu_mode = 'maximum'
    libvirt.memory = 256
    libvirt.storage_pool_name = '${names.pool}'
    libvirt.default_prefix = '${names.pool}-'
    libvirt.management_network_name = '${names.network}'
    libvirt.management_network_address = '192.168.124.0/24'
  end
end
`;
}

async function virsh(...args: readonly string[]): Promise<string> {
  return (await execa('virsh', ['-q', '-c', 'qemu:///system', ...args])).stdout;
}

function words(lines: string): readonly string[] {
  return lines
    .split('\n')
    .flatMap((line) => line.trim().split(/\s+/).slice(0, 1))
    .filter((word) => word !== '');
}
