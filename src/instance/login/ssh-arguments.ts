import { renderSshOptions, type SshEndpoint } from '../../guest/ssh/ssh-options.js';
import type { InstanceRecord } from '../instance-record.js';
import type { Host } from '../open-host.js';

export interface LoginOptions {
  readonly user?: string | undefined;
  /** A private key instead of the one in the record. */
  readonly identityFile?: string | undefined;
  /** Nobody is there to be asked for a password or a passphrase. */
  readonly batch?: boolean | undefined;
  readonly connectTimeoutSeconds?: number | undefined;
}

/**
 * The arguments of ssh for a login to an instance, all but the destination, which is the endpoint's address.
 * Host keys are the instance's own, by its uuid: neither an address that had another guest before, nor a
 * guest that is launched anew under an old name, meets a key that is not its own.
 */
export function sshArguments(
  host: Host,
  instance: InstanceRecord,
  endpoint: SshEndpoint,
  options: LoginOptions = {},
): readonly string[] {
  return renderSshOptions({
    endpoint,
    knownHostsFile: host.home.instance(instance.domainName).knownHosts,
    hostKeyAlias: hostKeyAlias(instance),
    user: options.user ?? instance.login.user ?? undefined,
    identityFile: options.identityFile ?? instance.login.identityFile ?? undefined,
    batch: options.batch,
    connectTimeoutSeconds: options.connectTimeoutSeconds ?? 20,
  });
}

/** The name that an instance's host keys are kept under, whatever its address and name are. */
export function hostKeyAlias(instance: InstanceRecord): string {
  return `launch-${instance.uuid}`;
}
