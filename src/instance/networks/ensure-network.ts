import { LaunchError } from '../../host/launch-error.js';
import { runStep, type Work } from '../../host/work.js';
import { isSession, type Hypervisor } from '../../libvirt/hypervisor.js';

/**
 * Starts a network of libvirt that is not active. It stays so: other guests may have come by then.
 *
 * @throws LaunchError NETWORK_NOT_FOUND, HYPERVISOR_FAILED
 */
export async function ensureNetwork(hypervisor: Hypervisor, name: string, work: Work): Promise<void> {
  const network = await findNetwork(hypervisor, name);
  if (network === undefined) {
    const names = (await hypervisor.listNetworks()).map((known) => known.name);
    throw new LaunchError('NETWORK_NOT_FOUND', `there is no network ${JSON.stringify(name)} in libvirt`, {
      hint: [
        names.length === 0 ? 'libvirt has none' : `there are: ${names.join(', ')}`,
        "without libvirt's networks:  --network user    without any:  --network none",
        ...(name === 'default' && !isSession(hypervisor.uri)
          ? ['make the default one:  apt-get install libvirt-daemon-config-network']
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
        if ((await findNetwork(hypervisor, name))?.active !== true) throw error;
      }
    },
    () => `${name}, started`,
  );
}

async function findNetwork(hypervisor: Hypervisor, name: string) {
  return (await hypervisor.listNetworks()).find((network) => network.name === name);
}
