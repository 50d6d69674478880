import type { SshEndpoint } from '../../guest/ssh/ssh-options.js';
import { findAddresses, type GuestAddress } from './guest-addresses.js';
import type { InstanceRecord } from '../instance-record.js';
import type { Host } from '../open-host.js';

const sshPort = 22;

/**
 * Where a guest's ssh server is reached: its first address, or the port of this host that leads to it.
 * Nobody is asked whether it answers there.
 */
export async function findSshEndpoint(
  host: Host,
  instance: InstanceRecord,
): Promise<SshEndpoint | undefined> {
  const known = sshEndpoints(instance, await findAddresses(host, instance, { agent: false }))[0];
  return known ?? sshEndpoints(instance, await findAddresses(host, instance))[0];
}

/** Pure: every place where the ssh server may be reached, the best first. */
export function sshEndpoints(
  instance: Pick<InstanceRecord, 'interfaces'>,
  addresses: readonly GuestAddress[],
): readonly SshEndpoint[] {
  const forwarded = instance.interfaces.flatMap((one) =>
    one.kind !== 'user'
      ? []
      : one.forwards
          .filter(
            ({ protocol, guestPort, hostPort }) =>
              protocol === 'tcp' && guestPort === sshPort && hostPort > 0,
          )
          .map(({ hostAddress, hostPort }) => ({
            address: hostAddress === '0.0.0.0' ? '127.0.0.1' : hostAddress,
            port: hostPort,
          })),
  );
  return [...addresses.map(({ address }) => ({ address, port: sshPort })), ...forwarded];
}

/** A port of this host leads to the guest's ssh server. */
export function isForwarded(instance: Pick<InstanceRecord, 'interfaces'>): boolean {
  return sshEndpoints(instance, []).length > 0;
}
