import { describe, expect, it } from 'vitest';
import { renderHealth } from '../../../src/cli/render-doctor.js';
import { displayWidth } from '../../../src/cli/terminal/display-width.js';
import type { CheckReport, HealthReport } from '../../../src/instance/doctor/examine-host.js';

function check(more: Partial<CheckReport>): CheckReport {
  return {
    id: 'libvirt',
    title: '',
    status: 'ok',
    found: 'fine',
    problems: [],
    details: [],
    facts: {},
    ...more,
  };
}

const dead = check({
  id: 'dhcp',
  status: 'failed',
  found: `no dnsmasq, ${'and much else that takes more than a line '.repeat(3)}\x1b[2J`,
  problems: [
    {
      level: 'failed',
      found: 'dnsmasq of the network "default" is not running',
      why: 'guests start, and get no address',
      cure: { text: 'start it', command: 'virsh net-update default', automatic: true },
    },
  ],
  details: ['lease of no domain  192.168.122.9'],
});

function render(report: Partial<HealthReport>, isDetailed = false): string {
  const whole: HealthReport = { canLaunch: false, checks: [check({}), dead], fixes: [], ...report };
  return renderHealth(whole, { columns: 80, isDetailed });
}

describe('renderHealth', () => {
  it('has a table, and below it why and what to do', () => {
    const text = render({});
    expect(text).toContain('| libvirt | ok     | fine ');
    expect(text).toContain(
      [
        'failed   dhcp: dnsmasq of the network "default" is not running',
        '  why    guests start, and get no address',
        '  cure * start it',
        '         virsh net-update default',
        '',
        '* is applied by:  launch doctor --fix',
        '',
      ].join('\n'),
    );
    expect(text).not.toContain('lease of no domain');
  });

  it('is no wider than the terminal, and shows no control as it is', () => {
    const lines = render({}).split('\n');
    expect(Math.max(...lines.map(displayWidth))).toBeLessThanOrEqual(80);
    expect(lines.join('\n')).toContain('\\x1b[2J');
  });

  it('tells details to who asked for the check', () => {
    expect(render({}, true)).toContain('dhcp\n  lease of no domain  192.168.122.9\n');
  });

  it('tells first what was done, and what could not be', () => {
    const text = render({
      fixes: [
        { check: 'dhcp', problem: 'dnsmasq is gone', done: 'it was started again', failure: undefined },
        { check: 'kvm', problem: 'root only', done: undefined, failure: 'permission denied' },
      ],
    });
    expect(
      text.startsWith('done     dhcp: it was started again\nnot done kvm: root only: permission denied\n'),
    ).toBe(true);
    expect(text).not.toContain('launch doctor --fix');
  });
});
