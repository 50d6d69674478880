import { complaintOf, type CommandOptions, type CommandRunner } from '../host/command.js';
import { LaunchError } from '../host/launch-error.js';
import { agentError } from './agent-error.js';
import type {
  AgentRequest,
  DhcpHost,
  DhcpHostPlaces,
  HypervisorVersions,
  NetworkLease,
  NetworkSettings,
  NetworkSummary,
} from './hypervisor.js';
import { hypervisorError, unreachable } from './libvirt-error.js';

/** virsh, for what the binding cannot do. Its tables are read in the C locale. */
export class Virsh {
  constructor(
    private readonly uri: string,
    private readonly runner: CommandRunner,
  ) {}

  async run(
    action: string,
    args: readonly string[],
    options: Pick<CommandOptions, 'timeoutMs'> = {},
  ): Promise<string> {
    const result = await this.runner.run('virsh', ['--quiet', '--connect', this.uri, ...args], options);
    if (result.exitCode !== 0) {
      throw hypervisorError(action, this.uri, new Error(complaintOf('virsh', result)));
    }
    return result.stdout;
  }

  async readVersions(timeoutMs: number): Promise<HypervisorVersions> {
    let stdout;
    try {
      stdout = await this.run('ask for the version', ['version', '--daemon'], { timeoutMs });
    } catch (error) {
      if (!(error instanceof LaunchError) || error.code !== 'COMMAND_TIMEOUT') throw error;
      throw unreachable(this.uri, new Error(`no answer within ${timeoutMs / 1000} s`));
    }
    const valueOf = (title: string) => new RegExp(`^${title}:\\s*(.+)$`, 'm').exec(stdout)?.[1];
    return {
      libvirt: valueOf('Running against daemon') ?? 'of unknown version',
      emulator: valueOf('Running hypervisor'),
    };
  }

  async readNetworkSettings(network: string): Promise<NetworkSettings> {
    const stdout = await this.run(`look at the network "${network}"`, ['net-info', '--network', network]);
    return {
      persistent: /^Persistent:\s*yes/m.test(stdout),
      autostart: /^Autostart:\s*yes/m.test(stdout),
    };
  }

  /**
   * libvirt has no call for it, but starts dnsmasq anew, dead or alive, when a DNS record that is in its
   * configuration changes. This one comes and goes, and no guest asks for it.
   */
  async restartNetworkDhcp(network: string): Promise<void> {
    const record = "<txt name='launch-restart.invalid' value='1'/>";
    const update = async (verb: 'add' | 'delete') => {
      const args = ['net-update', '--network', network, verb, 'dns-txt', record, '--live'];
      await this.run(`restart DHCP of the network "${network}"`, args);
    };
    await update('add');
    await update('delete');
  }

  /** The values are addresses, so nothing in them needs escaping in XML. */
  async updateDhcpHost(
    verb: 'add' | 'delete',
    network: string,
    { macAddress, address }: DhcpHost,
    places: DhcpHostPlaces,
  ): Promise<void> {
    const action = verb === 'add' ? 'keep' : 'stop keeping';
    await this.run(`${action} ${address} for ${macAddress} in the network "${network}"`, [
      ...['net-update', '--network', network, verb, 'ip-dhcp-host'],
      `<host mac='${macAddress}' ip='${address}'/>`,
      ...(places.live ? ['--live'] : []),
      ...(places.config ? ['--config'] : []),
    ]);
  }

  async askAgent(
    uuid: string,
    request: AgentRequest,
    options: { readonly timeoutSeconds: number },
  ): Promise<unknown> {
    const action = `ask the guest agent for ${request.execute}`;
    const args = ['qemu-agent-command', '--domain', uuid, '--timeout', `${options.timeoutSeconds}`];
    try {
      const answer = JSON.parse(await this.run(action, [...args, JSON.stringify(request)])) as unknown;
      return typeof answer === 'object' && answer !== null && 'return' in answer ? answer.return : undefined;
    } catch (error) {
      throw agentError(action, error);
    }
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
