import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { systemCommandRunner, type CommandRunner } from '../host/command.js';
import { LaunchError } from '../host/launch-error.js';
import { packageDirectory } from '../host/package-directory.js';
import { homePaths, type HomePaths } from '../host/paths.js';
import { defaultFetching, type Fetching } from '../image/fetch/download.js';
import type { Hypervisor } from '../libvirt/hypervisor.js';
import { LibvirtHypervisor } from '../libvirt/libvirt-hypervisor.js';
import { QemuImg } from '../qemu-img/qemu-img.js';
import { parseNameTemplate, type NameTemplate } from './name-template.js';

/** Everything a verb works with: one home, one libvirt. */
export interface Host {
  readonly home: HomePaths;
  readonly hypervisor: Hypervisor;
  readonly runner: CommandRunner;
  readonly qemuImg: QemuImg;
  readonly fetching: Fetching;
  readonly nameTemplate: NameTemplate;
  readonly templatesDirectory: string;
  readonly now: () => Date;
  /** The person at work: undefined when a program is. */
  readonly user: HostUser | undefined;
}

/** What of a person's own the verbs may use: their keys, their name. */
export interface HostUser {
  readonly name: string;
  /** Where their ssh keys lie: `~/.ssh`. */
  readonly sshDirectory: string;
  /** The socket of their ssh agent (SSH_AUTH_SOCK); undefined without one. */
  readonly sshAgentSocket: string | undefined;
}

export interface HostOptions {
  /** Directory of images and instances; by default the one that belongs to `connect`. */
  readonly home?: string | undefined;
  /** libvirt's URI; by default qemu:///system. */
  readonly connect?: string | undefined;
  /** Nova's instance_name_template; by default `instance-%08x`. */
  readonly instanceNameTemplate?: string | undefined;
  /** For tests and for programs that bring their own libvirt. */
  readonly hypervisor?: Hypervisor;
  readonly runner?: CommandRunner;
  readonly fetching?: Partial<Fetching>;
  readonly now?: () => Date;
  /** By default nobody: no keys but those of the home are used. */
  readonly user?: HostUser | undefined;
}

/** Opens a home and a libvirt; nothing is touched, and no connection is made, before a verb needs it. */
export function openHost(options: HostOptions = {}): Host {
  const uri = options.hypervisor?.uri ?? options.connect ?? 'qemu:///system';
  const runner = options.runner ?? systemCommandRunner;
  const root = options.home ?? defaultHome(uri);
  if (root === '')
    throw new LaunchError('ARGUMENT_INVALID', 'the home is empty', { hint: 'set LAUNCH_HOME' });
  return {
    home: homePaths(resolve(root)),
    hypervisor: options.hypervisor ?? new LibvirtHypervisor(uri, runner),
    runner,
    qemuImg: new QemuImg(runner),
    fetching: { ...defaultFetching, ...options.fetching },
    nameTemplate: parseNameTemplate(options.instanceNameTemplate ?? 'instance-%08x'),
    templatesDirectory: join(packageDirectory(), 'templates'),
    now: options.now ?? (() => new Date()),
    user: options.user,
  };
}

function defaultHome(uri: string): string {
  return uri.endsWith(':///session') ? join(homedir(), '.local', 'share', 'launch') : '/var/lib/launch';
}
