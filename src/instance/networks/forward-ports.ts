import type { DomainInterface, PortForward } from '../../domain/domain-spec.js';
import { LaunchError } from '../../host/launch-error.js';
import { probePort } from '../../host/ports.js';
import type { InstanceRecord } from '../instance-record.js';

// Below the kernel's ephemeral ports (from 32768), of which any may be somebody's connection at the moment.
const firstPort = 20_000;
const portCount = 10_000;

/** A port of this host, as it is written. */
function spell({ hostAddress, hostPort, protocol }: PortForward): string {
  return `${hostAddress}:${hostPort}/${protocol}`;
}

export function forwardsOf(interfaces: readonly DomainInterface[]): readonly PortForward[] {
  return interfaces.flatMap((one) => (one.kind === 'user' ? one.forwards : []));
}

/**
 * Gives a port to each forward that has none: by the instance's number, so that it can be guessed, and from
 * there the next that no record has and nobody listens on. Two commands may still choose the same: QEMU, which
 * listens, decides, and the launch chooses again.
 *
 * @param avoid ports that were tried in vain
 */
export async function choosePorts(
  interfaces: readonly DomainInterface[],
  options: {
    readonly number: number;
    readonly others: readonly InstanceRecord[];
    readonly avoid: ReadonlySet<number>;
  },
): Promise<readonly DomainInterface[]> {
  const recorded = options.others.flatMap((record) => forwardsOf(record.interfaces));
  const taken = new Set([...recorded, ...forwardsOf(interfaces)].map(({ hostPort }) => hostPort));
  for (const port of options.avoid) taken.add(port);
  let candidate = options.number;
  const choose = async (forward: PortForward): Promise<PortForward> => {
    if (forward.hostPort !== 0) return forward;
    for (let tries = 0; tries < portCount; tries += 1) {
      const hostPort = firstPort + (candidate % portCount);
      candidate += 1;
      if (taken.has(hostPort)) continue;
      const state = await probePort(forward.protocol, forward.hostAddress, hostPort);
      if (state === 'absent') throw notListening(forward, 'no interface of this host has that address');
      if (state !== 'free') continue;
      taken.add(hostPort);
      return { ...forward, hostPort };
    }
    throw new LaunchError(
      'PORT_IN_USE',
      `no port from ${firstPort} to ${firstPort + portCount - 1} of this host is free`,
    );
  };
  const chosen: DomainInterface[] = [];
  for (const one of interfaces) {
    if (one.kind !== 'user') {
      chosen.push(one);
      continue;
    }
    const forwards: PortForward[] = [];
    for (const forward of one.forwards) forwards.push(await choose(forward));
    chosen.push({ ...one, forwards });
  }
  return chosen;
}

/**
 * Looks whether the ports can be listened on, before QEMU does.
 *
 * @param others records, to say whose a port is
 * @throws LaunchError PORT_IN_USE, ARGUMENT_INVALID for an address that this host does not have
 */
export async function checkPorts(
  interfaces: readonly DomainInterface[],
  others: readonly InstanceRecord[],
): Promise<void> {
  for (const forward of forwardsOf(interfaces)) {
    if (forward.hostPort === 0) continue;
    switch (await probePort(forward.protocol, forward.hostAddress, forward.hostPort)) {
      case 'free':
        break;
      case 'taken':
        throw portInUse(forward, others);
      case 'denied':
        throw notListening(forward, 'too few rights');
      case 'absent':
        throw notListening(forward, 'no interface of this host has that address');
    }
  }
}

function portInUse(forward: PortForward, others: readonly InstanceRecord[]): LaunchError {
  const owner = others.find((record) =>
    forwardsOf(record.interfaces).some(
      ({ protocol, hostPort }) => protocol === forward.protocol && hostPort === forward.hostPort,
    ),
  );
  const who = owner === undefined ? 'another process' : `${owner.domainName} (${owner.displayName})`;
  const list = forward.protocol === 'tcp' ? 'ss -ltnp' : 'ss -lunp';
  return new LaunchError('PORT_IN_USE', `the port ${spell(forward)} of this host is taken by ${who}`, {
    hint:
      owner === undefined
        ? `see by which:  ${list} 'sport = :${forward.hostPort}'`
        : `stop it first:  launch stop ${owner.domainName}`,
    details: { ...forward, domainName: owner?.domainName },
  });
}

function notListening(forward: PortForward, why: string): LaunchError {
  return new LaunchError('ARGUMENT_INVALID', `cannot listen on ${spell(forward)} of this host: ${why}`, {
    hint: 'publish a port from 1024 on, on an address of this host:  ip -4 -brief address',
    details: { ...forward },
  });
}

/** The forward that QEMU could not listen for, when that is why a domain did not start. */
export function findRefusedForward(
  interfaces: readonly DomainInterface[],
  error: unknown,
): PortForward | undefined {
  if (!(error instanceof LaunchError) || error.code !== 'HYPERVISOR_FAILED') return undefined;
  // QEMU's words since 0.12: Could not set up host forwarding rule 'tcp:127.0.0.1:22012-:22'
  const [, protocol, hostAddress, hostPort] =
    /set up host forwarding rule '(tcp|udp):([\d.]*):(\d+)-/.exec(error.message) ?? [];
  return forwardsOf(interfaces).find(
    (forward) =>
      forward.protocol === protocol &&
      forward.hostAddress === hostAddress &&
      forward.hostPort === Number(hostPort),
  );
}

/** QEMU's refusal in our words. @throws LaunchError always: PORT_IN_USE, or the error that was given */
export function throwRefusedForward(
  interfaces: readonly DomainInterface[],
  others: readonly InstanceRecord[],
  error: unknown,
): never {
  const refused = findRefusedForward(interfaces, error);
  if (refused === undefined) throw error;
  if (refused.hostPort < 1024) {
    throw new LaunchError('PORT_IN_USE', `QEMU cannot listen on ${spell(refused)} of this host`, {
      hint: 'QEMU runs as a user of its own, and ports below 1024 are for root: publish a higher one',
      cause: error,
      details: { ...refused },
    });
  }
  throw portInUse(refused, others);
}
