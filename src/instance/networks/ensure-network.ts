import { installCommand } from '../../host/install-command.js';
import { LaunchError } from '../../host/launch-error.js';
import { runStep, type Work } from '../../host/work.js';
import { isSession, type Hypervisor, type NetworkSummary } from '../../libvirt/hypervisor.js';

/**
 * Starts a network of libvirt that is not active. It stays so: other guests may have come by then.
 *
 * @param networks all that libvirt has
 * @throws LaunchError NETWORK_NOT_FOUND, HYPERVISOR_FAILED
 */
export async function ensureNetwork(
  hypervisor: Hypervisor,
  name: string,
  networks: readonly NetworkSummary[],
  work: Work,
): Promise<void> {
  const network = networks.find((known) => known.name === name);
  if (network === undefined) {
    const names = networks.map((known) => known.name);
    throw new LaunchError('NETWORK_NOT_FOUND', `there is no network ${JSON.stringify(name)} in libvirt`, {
      hint: [
        names.length === 0 ? 'libvirt has none' : `there are: ${names.join(', ')}`,
        "without libvirt's networks:  --network user    without any:  --network none",
        ...(name === 'default' && !isSession(hypervisor.uri)
          ? [`make the default one:  ${installCommand(['libvirt-daemon-config-network'])}`]
          : []),
      ].join('\n'),
      details: { networks: names },
    });
  }
  if (network.active) return;
  await runStep(
    work,
    'network',
    `starting ${name}`,
    async () => {
      try {
        await hypervisor.startNetwork(name);
      } catch (error) {
        // Another launch may have started it at the same moment.
        const now = await hypervisor.listNetworks();
        if (now.find((known) => known.name === name)?.active !== true) throw error;
      }
    },
    () => `${name}, started`,
  );
}
