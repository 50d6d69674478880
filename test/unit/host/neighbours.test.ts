import { describe, expect, it } from 'vitest';

import { parseArpTable, parseNeighbours, readNeighbours } from '../../../src/host/neighbours.js';
import { ScriptedRunner } from '../../support/scripted-runner.js';

describe('ip -json neigh', () => {
  it('gives addresses with their MAC, and which were heard of lately', () => {
    const text = JSON.stringify([
      { dst: '192.168.122.35', dev: 'virbr0', lladdr: '52:54:00:1B:77:02', state: ['REACHABLE'] },
      { dst: '192.168.122.36', dev: 'virbr0', lladdr: '52:54:00:1b:77:03', state: ['STALE'] },
      { dst: '192.168.122.37', dev: 'virbr0', state: ['FAILED'] },
      { dst: '192.168.122.38', dev: 'virbr0', lladdr: '52:54:00:1b:77:04', state: ['INCOMPLETE'] },
      {
        dst: 'fe80::5054:ff:fe1b:7702',
        dev: 'virbr0',
        lladdr: '52:54:00:1b:77:02',
        router: null,
        state: ['DELAY'],
      },
    ]);
    expect(parseNeighbours(text)).toEqual([
      { address: '192.168.122.35', macAddress: '52:54:00:1b:77:02', recent: true },
      { address: '192.168.122.36', macAddress: '52:54:00:1b:77:03', recent: false },
      { address: 'fe80::5054:ff:fe1b:7702', macAddress: '52:54:00:1b:77:02', recent: false },
    ]);
  });

  it.each(['', 'nonsense', '{}', '[{"dst":1}]'])('says nothing in %j', (text) => {
    expect(parseNeighbours(text)).toEqual([]);
  });
});

describe('/proc/net/arp', () => {
  it('gives the complete entries', () => {
    const text = [
      'IP address       HW type     Flags       HW address            Mask     Device',
      '192.168.122.35   0x1         0x2         52:54:00:1b:77:02     *        virbr0',
      '192.168.122.99   0x1         0x0         00:00:00:00:00:00     *        virbr0',
      '',
    ].join('\n');
    expect(parseArpTable(text)).toEqual([
      { address: '192.168.122.35', macAddress: '52:54:00:1b:77:02', recent: false },
    ]);
  });
});

describe('readNeighbours', () => {
  it('asks ip, and does without it', async () => {
    const runner = new ScriptedRunner([
      { stdout: '[]' },
      { exitCode: 1, stderr: 'Cannot open netlink socket' },
    ]);
    expect(await readNeighbours(runner)).toEqual([]);
    expect(runner.commandLines).toEqual([['ip', '-json', 'neigh', 'show']]);
    await expect(readNeighbours(runner)).resolves.toBeInstanceOf(Array);
  });
});
