import { describe, expect, it } from 'vitest';

import { Virsh } from '../../../src/libvirt/virsh.js';
import { ScriptedRunner, type Answer } from '../../support/scripted-runner.js';
import { launchErrorOf } from '../host/launch-error-of.js';

function scripted(...answers: readonly Answer[]) {
  const runner = new ScriptedRunner(answers);
  return { runner, virsh: new Virsh('qemu:///system', runner) };
}

describe('virsh', () => {
  it('is told its connection in every call, and to be quiet', async () => {
    const { runner, virsh } = scripted({}, {}, {}, {});
    await virsh.run('start the network', ['net-start', '--network', 'default']);
    await virsh.findVolumePath('default', 'disk');
    await virsh.listNetworks();
    await virsh.listLeases('default');
    const connection = ['virsh', '--quiet', '--connect', 'qemu:///system'];
    expect(runner.commandLines).toEqual([
      [...connection, 'net-start', '--network', 'default'],
      [...connection, 'vol-path', '--pool', 'default', '--vol', 'disk'],
      [...connection, 'net-list', '--all'],
      [...connection, 'net-dhcp-leases', '--network', 'default'],
    ]);
  });

  it('gives what it printed', async () => {
    const { virsh } = scripted({ stdout: 'Network default started\n\n' });
    expect(await virsh.run('start', ['net-start'])).toBe('Network default started\n\n');
  });

  it('invariant 7: gets a hostile name as one argument, behind the option that it belongs to', async () => {
    const { runner, virsh } = scripted({}, {});
    await virsh.listLeases('--help; reboot');
    await virsh.findVolumePath('-p', '--all');
    expect(runner.calls[0]?.args.slice(-2)).toEqual(['--network', '--help; reboot']);
    expect(runner.calls[1]?.args.slice(-4)).toEqual(['--pool', '-p', '--vol', '--all']);
  });

  it('says where an address is to be kept', async () => {
    const { runner, virsh } = scripted({}, {});
    const host = { macAddress: '52:54:00:00:00:01', address: '10.0.0.5' };
    await virsh.updateDhcpHost('add', 'lab', host, { live: true, config: true });
    await virsh.updateDhcpHost('delete', 'lab', host, { live: false, config: true });
    const update = ['net-update', '--network', 'lab'];
    const entry = ['ip-dhcp-host', "<host mac='52:54:00:00:00:01' ip='10.0.0.5'/>"];
    expect(runner.calls.map(({ args }) => args.slice(3))).toEqual([
      [...update, 'add', ...entry, '--live', '--config'],
      [...update, 'delete', ...entry, '--config'],
    ]);
  });

  it('fails with libvirt’s own words', async () => {
    const { virsh } = scripted({
      exitCode: 1,
      stderr: 'error: Failed to start network default\nerror: internal error: Network is already in use\n',
    });
    const error = await launchErrorOf(virsh.run('start the network "default"', ['net-start']));
    expect([error.code, error.message]).toEqual([
      'HYPERVISOR_FAILED',
      'cannot start the network "default": libvirt says: internal error: Network is already in use',
    ]);
  });

  it('says that libvirt cannot be reached', async () => {
    const { virsh } = scripted({
      exitCode: 1,
      stderr: [
        'error: failed to connect to the hypervisor',
        "error: Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory",
        '',
      ].join('\n'),
    });
    expect((await launchErrorOf(virsh.listNetworks())).code).toBe('HYPERVISOR_UNREACHABLE');
  });
});

describe('listNetworks', () => {
  it('reads the columns from the right, since a name may have spaces', async () => {
    const { virsh } = scripted({
      stdout: [
        ' default          active     yes   yes',
        ' my own net       inactive   no    yes',
        ' active           inactive   no    no',
        ' a inactive b     active     no    no',
        '',
        '',
      ].join('\n'),
    });
    expect(await virsh.listNetworks()).toEqual([
      { name: 'default', active: true },
      { name: 'my own net', active: false },
      { name: 'active', active: false },
      { name: 'a inactive b', active: true },
    ]);
  });

  it('has none when there are none, and skips what is no row', async () => {
    const { virsh } = scripted({ stdout: '\n' }, { stdout: '-----------\n' });
    expect(await virsh.listNetworks()).toEqual([]);
    expect(await virsh.listNetworks()).toEqual([]);
  });
});

describe('listLeases', () => {
  it('reads addresses of both families, without their prefix', async () => {
    const { virsh } = scripted({
      stdout: [
        ' 2026-01-02 03:04:05   52:54:00:AB:cd:01   ipv4       192.168.122.10/24         web    ff:56:50:4d',
        ' 2026-01-02 03:04:05   52:54:00:ab:cd:02   ipv6       fd00::10/64               -      -',
        '',
        '',
      ].join('\n'),
    });
    expect(await virsh.listLeases('default')).toEqual([
      { macAddress: '52:54:00:ab:cd:01', address: '192.168.122.10', hostname: 'web' },
      { macAddress: '52:54:00:ab:cd:02', address: 'fd00::10', hostname: undefined },
    ]);
  });

  it('has none when there are none', async () => {
    const { virsh } = scripted({ stdout: '\n' });
    expect(await virsh.listLeases('default')).toEqual([]);
  });
});

describe('findVolumePath', () => {
  it('gives the path, and undefined where there is no such pool or volume', async () => {
    const { virsh } = scripted(
      { stdout: '/var/lib/libvirt/images/my disk\n\n' },
      { exitCode: 1, stderr: "error: failed to get pool 'no'" },
    );
    expect(await virsh.findVolumePath('default', 'my disk')).toBe('/var/lib/libvirt/images/my disk');
    expect(await virsh.findVolumePath('no', 'disk')).toBeUndefined();
  });
});
