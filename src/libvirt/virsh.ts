import { complaintOf, type CommandRunner } from '../host/command.js';
import { LaunchError } from '../host/launch-error.js';
import type { NetworkLease, NetworkSummary } from './hypervisor.js';
import { hypervisorError } from './libvirt-error.js';

/** virsh, for what the binding cannot do. Its tables are read in the C locale. */
export class Virsh {
  constructor(
    private readonly uri: string,
    private readonly runner: CommandRunner,
  ) {}

  async run(action: string, args: readonly string[]): Promise<string> {
    const result = await this.runner.run('virsh', ['--quiet', '--connect', this.uri, ...args]);
    if (result.exitCode !== 0) {
      throw hypervisorError(action, this.uri, new Error(complaintOf('virsh', result)));
    }
    return result.stdout;
  }

  async findVolumePath(pool: string, name: string): Promise<string | undefined> {
    try {
      const args = ['vol-path', '--pool', pool, '--vol', name];
      return (await this.run(`find the volume "${name}"`, args)).trim();
    } catch (error) {
      if (error instanceof LaunchError && error.code === 'HYPERVISOR_FAILED') return undefined;
      throw error;
    }
  }

  async listNetworks(): Promise<readonly NetworkSummary[]> {
    const stdout = await this.run('list the networks', ['net-list', '--all']);
    return linesOf(stdout).flatMap((line) => {
      // Read from the right: nothing forbids a space in a network's name.
      const [, name, state] = /^\s*(.*?)\s+(active|inactive)\s+\S+\s+\S+\s*$/.exec(line) ?? [];
      return name === undefined ? [] : [{ name, active: state === 'active' }];
    });
  }

  /** Columns of net-dhcp-leases: date, time, MAC, protocol, address/prefix, hostname, client id. */
  async listLeases(network: string): Promise<readonly NetworkLease[]> {
    const stdout = await this.run(`read the leases of "${network}"`, [
      'net-dhcp-leases',
      '--network',
      network,
    ]);
    return linesOf(stdout).flatMap((line) => {
      const [, , macAddress, , address, hostname] = line.trim().split(/\s+/);
      if (macAddress === undefined || address === undefined) return [];
      return [
        {
          macAddress: macAddress.toLowerCase(),
          address: address.replace(/\/\d+$/, ''),
          hostname: hostname === '-' ? undefined : hostname,
        },
      ];
    });
  }
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}
