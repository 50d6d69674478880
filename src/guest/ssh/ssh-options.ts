import { isIP } from 'node:net';
import { LaunchError } from '../../host/launch-error.js';

/** Where a guest's sshd is reached. */
export interface SshEndpoint {
  /** An IPv4 or IPv6 address, never a name. */
  readonly address: string;
  readonly port: number;
}

export interface SshConnection {
  readonly endpoint: SshEndpoint;
  /** Host keys of this guest alone; the file may not exist yet. */
  readonly knownHostsFile: string;
  /** The name that the host keys are kept under, so that an address that changes hands means nothing. */
  readonly hostKeyAlias: string;
  readonly user?: string | undefined;
  /** The only key to offer, by its file or as the agent has it; without it, ssh's own and the agent's. */
  readonly identityFile?: string | undefined;
  /** Nobody is there to be asked for a password or a passphrase. */
  readonly batch?: boolean | undefined;
  readonly connectTimeoutSeconds?: number | undefined;
}

/**
 * The arguments of ssh, all but the destination. The user's own configuration is left out (`-F none`): what
 * it says of `Host *` (jump hosts, other files of host keys) is not meant for a guest on this host.
 *
 * @throws LaunchError ARGUMENT_INVALID for an address or a user that could be read as something else
 */
export function renderSshOptions(connection: SshConnection): readonly string[] {
  const { user, identityFile } = connection;
  checkEndpoint(connection.endpoint);
  const settings: readonly (readonly [string, string | undefined])[] = [
    ['UserKnownHostsFile', quotePath(connection.knownHostsFile)],
    ['GlobalKnownHostsFile', 'none'],
    ['HostKeyAlias', connection.hostKeyAlias],
    // The file is made with the instance and goes with it: what is in it is this guest's, and no other's.
    ['StrictHostKeyChecking', 'accept-new'],
    ['HashKnownHosts', 'no'],
    ['CheckHostIP', 'no'],
    // Without it an agent with many keys uses up the guest's patience before the right one is offered.
    ['IdentitiesOnly', identityFile === undefined ? undefined : 'yes'],
    ['BatchMode', connection.batch === true ? 'yes' : undefined],
    ['ConnectTimeout', connection.connectTimeoutSeconds?.toFixed(0)],
    ['ServerAliveInterval', '15'],
  ];
  return [
    ...['-F', 'none', '-p', `${connection.endpoint.port}`],
    ...(user === undefined ? [] : ['-l', checkLoginUser(user)]),
    ...(identityFile === undefined ? [] : ['-i', escapePercent(identityFile)]),
    ...settings.flatMap(([name, value]) => (value === undefined ? [] : ['-o', `${name}=${value}`])),
  ];
}

/** A path as the value of an option of ssh: in quotes, as such a value may be a list, and with no tokens in it. */
export function quotePath(path: string): string {
  return `"${escapePercent(path)}"`;
}

/** `%h` and the like are ssh's own in paths. */
function escapePercent(path: string): string {
  return path.replaceAll('%', '%%');
}

/** @throws LaunchError ARGUMENT_INVALID */
export function checkLoginUser(user: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.@-]*\$?$/.test(user)) return user;
  throw new LaunchError('ARGUMENT_INVALID', `${JSON.stringify(user)} is no name of a user`, {
    hint: 'a name has letters, digits and _ . - @, and does not start with "-"',
  });
}

/** A guest agent may say anything; what is no address never gets near a command line. */
function checkEndpoint({ address, port }: SshEndpoint): void {
  const [plain = '', zone] = address.split('%', 2);
  const isZone = zone === undefined || /^[A-Za-z0-9_.-]+$/.test(zone);
  if (isIP(plain) === 0 || !isZone || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new LaunchError('ARGUMENT_INVALID', `${JSON.stringify(address)} port ${port} is no address`);
  }
}
