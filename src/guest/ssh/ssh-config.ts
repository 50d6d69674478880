import { quotePath } from './ssh-options.js';

/** One guest, as ssh's own configuration has it. */
export interface SshConfigHost {
  /** The names that it answers to; no patterns. */
  readonly names: readonly [string, ...string[]];
  readonly hostKeyAlias: string;
  readonly user: string | undefined;
  readonly identityFile: string | undefined;
  readonly knownHostsFile: string;
  /** A line for the user's shell, that finds the guest's address and connects standard input and output. */
  readonly proxyCommand: string;
}

/**
 * A block of ssh_config(5). The address is looked up when ssh connects, so the block stays true whatever
 * address the guest gets.
 */
export function renderSshConfigHost(host: SshConfigHost): string {
  const settings: readonly (readonly [string, string | undefined])[] = [
    // Shown by ssh, never looked up: the command below connects.
    ['HostName', host.names[0]],
    ['User', host.user],
    ['IdentityFile', host.identityFile === undefined ? undefined : quotePath(host.identityFile)],
    ['IdentitiesOnly', host.identityFile === undefined ? undefined : 'yes'],
    ['UserKnownHostsFile', quotePath(host.knownHostsFile)],
    ['HostKeyAlias', host.hostKeyAlias],
    ['StrictHostKeyChecking', 'accept-new'],
    ['CheckHostIP', 'no'],
    ['ProxyCommand', host.proxyCommand.replaceAll('%', '%%')],
  ];
  return [
    `Host ${host.names.join(' ')}`,
    ...settings.flatMap(([name, value]) => (value === undefined ? [] : [`  ${name} ${value}`])),
    '',
  ].join('\n');
}

/**
 * Whether ssh_config can call a guest so, without meaning more than it: no patterns, no spaces, and no dot,
 * since a name with one may be a real host's.
 */
export function isSshConfigName(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_-]*$/.test(name) && name !== 'localhost';
}

/** Whether a user's configuration has this file read in, for every host. */
export function includesFile(config: string, path: string): boolean {
  for (const line of config.split(/\r?\n/)) {
    const [, keyword = '', rest = ''] = /^\s*(\w+)[\s=]+(.*?)\s*$/.exec(line) ?? [];
    // Below a Host or Match line it would hold for those hosts only.
    if (/^(host|match)$/i.test(keyword)) return false;
    if (keyword.toLowerCase() !== 'include') continue;
    const words = rest.match(/"[^"]*"|\S+/g) ?? [];
    if (words.some((word) => word.replaceAll('"', '') === path)) return true;
  }
  return false;
}
