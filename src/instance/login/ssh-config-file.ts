import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { isSshConfigName, renderSshConfigHost, type SshConfigHost } from '../../guest/ssh/ssh-config.js';
import { quoteWord } from '../../guest/ssh/shell-words.js';
import { ensureDirectory, fileExists, writeFileAtomic } from '../../host/files.js';
import { LaunchError } from '../../host/launch-error.js';
import { takeLock } from '../../host/lock.js';
import { asMaker } from '../../host/maker.js';
import type { Work } from '../../host/work.js';
import { getInstance } from '../find-instance.js';
import { listInstanceRecords, type InstanceRecord } from '../instance-record.js';
import { findLoginUser } from './login-user.js';
import type { Host } from '../open-host.js';
import { hostKeyAlias } from './ssh-arguments.js';

export interface SshConfigPaths {
  /** For ssh's Include. */
  readonly config: string;
  /** What the blocks call to be connected: a script with the words that start this program. */
  readonly connect: string;
}

function sshConfigPaths(host: Host): SshConfigPaths {
  return { config: join(host.home.ssh, 'config'), connect: join(host.home.ssh, 'connect') };
}

/** The command line that connects standard input and output to a guest, whatever its address is then. */
export function proxyCommand(host: Host, program: readonly string[], uuid: string): string {
  const words = [...program, '--home', host.home.root, '--connect', host.hypervisor.uri];
  return [...words, 'ssh', '--stdio', uuid].map(quoteWord).join(' ');
}

/**
 * The blocks of ssh_config(5) for these instances, or all.
 *
 * @param options.connect gives the ProxyCommand of an instance
 * @throws LaunchError INSTANCE_NOT_FOUND, INSTANCE_AMBIGUOUS, RECORD_INVALID
 */
export async function renderSshConfig(
  host: Host,
  options: { readonly references?: readonly string[]; readonly connect: (uuid: string) => string },
): Promise<string> {
  const { records } = await listInstanceRecords(host.home);
  const { references = [] } = options;
  const asked = await Promise.all(references.map((reference) => getInstance(host, reference)));
  const chosen = references.length === 0 ? records : asked;
  const hosts = await Promise.all(
    chosen.map(async (instance): Promise<SshConfigHost> => ({
      names: namesOf(instance, records),
      hostKeyAlias: hostKeyAlias(instance),
      user: await findLoginUser(host, instance),
      identityFile: instance.login.identityFile ?? undefined,
      knownHostsFile: host.home.instance(instance.domainName).knownHosts,
      proxyCommand: options.connect(instance.uuid),
    })),
  );
  return hosts.map(renderSshConfigHost).join('\n');
}

/** Its own name first, where it is the only one of it and ssh can say it, and always the domain's. */
function namesOf(instance: InstanceRecord, all: readonly InstanceRecord[]): readonly [string, ...string[]] {
  const { displayName, domainName } = instance;
  const isOurs = all.every(
    (other) =>
      other.domainName === domainName ||
      (other.displayName !== displayName && other.domainName !== displayName),
  );
  const isUsable = isOurs && displayName !== domainName && isSshConfigName(displayName);
  return isUsable ? [displayName, domainName] : [domainName];
}

/** Writes the files below the home for all instances, so that ssh's configuration can include them. */
export async function installSshConfig(host: Host, program: readonly string[]): Promise<SshConfigPaths> {
  const { connect } = sshConfigPaths(host);
  const words = [...program, '--home', host.home.root, '--connect', host.hypervisor.uri, 'ssh', '--stdio'];
  const script = [
    '#!/bin/sh',
    '# Made by launch ssh-config --install: ssh runs it to be connected to an instance, by its uuid.',
    `exec ${words.map(quoteWord).join(' ')} "$1"`,
    '',
  ].join('\n');
  await ensureDirectory(host.home.ssh);
  await asMaker(host.home, async (maker) => {
    await writeFileAtomic(connect, script, maker);
    await chmod(connect, 0o755);
  });
  return await writeConfig(host);
}

/**
 * Brings an installed file up to date with what instances there are; without one there is nothing to do.
 * What fails is told and keeps nobody from work.
 */
export async function refreshSshConfig(host: Host, work: Work = {}): Promise<void> {
  try {
    if (fileExists(sshConfigPaths(host).config)) await writeConfig(host);
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    work.onEvent?.({ type: 'notice', message: `the file for plain ssh is out of date: ${error.message}` });
  }
}

async function writeConfig(host: Host): Promise<SshConfigPaths> {
  const paths = sshConfigPaths(host);
  const head =
    '# Made by launch, and again whenever an instance comes or goes: what is written here is lost.\n\n';
  // Whoever writes last must also have looked last.
  const lock = await takeLock(host.home.lock('ssh-config'));
  try {
    const blocks = await renderSshConfig(host, {
      connect: (uuid) => `${quoteWord(paths.connect)} ${uuid}`,
    });
    await asMaker(host.home, (maker) => writeFileAtomic(paths.config, `${head}${blocks}`, maker));
  } finally {
    await lock.release({ remove: true });
  }
  return paths;
}
