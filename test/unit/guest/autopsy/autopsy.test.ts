import { describe, expect, it } from 'vitest';

import { diagnose } from '../../../../src/guest/autopsy/autopsy.js';
import { renderAutopsy } from '../../../../src/guest/autopsy/autopsy-report.js';
import { readConsole } from '../../../../src/guest/boot/console-story.js';
import type { Cause } from '../../../../src/guest/autopsy/diagnosis.js';
import type { CardEvidence, Evidence, SshEvidence } from '../../../../src/guest/autopsy/evidence.js';
import { readConsoleFixture } from '../../../support/console-fixture.js';

const card: CardEvidence = {
  kind: 'network',
  name: 'default',
  macAddress: '52:54:00:1b:77:02',
  sentPackets: 30,
  dhcp: 'served',
  dhcpLog: [],
};

const address = { address: '192.168.122.35', source: 'lease' };

function ssh(more: Partial<SshEvidence>): SshEvidence {
  return {
    address: '192.168.122.35',
    port: 22,
    answer: 'ssh',
    banner: 'SSH-2.0-x',
    login: undefined,
    ...more,
  };
}

/** Evidence of a guest that waited for ssh in vain, its console silent for long. */
function evidenceOf(log: string, more: Partial<Evidence> = {}): Evidence {
  return {
    goal: 'ssh',
    domainState: 'running',
    virtType: 'qemu',
    console: readConsole(log === '' ? '' : readConsoleFixture(log)),
    quietSeconds: 60,
    busyCpus: undefined,
    hostLoad: undefined,
    cards: [card],
    addresses: [],
    ssh: undefined,
    cloudInit: undefined,
    withoutCloudInit: false,
    ...more,
  };
}

const silentCard = { ...card, sentPackets: 0 };
const refused = { outcome: 'refused', user: 'root', words: 'Permission denied (publickey).' } as const;

const cases: readonly (readonly [
  what: string,
  log: string,
  more: Partial<Evidence>,
  cause: Cause,
  final: boolean,
])[] = [
  // the machine
  ['is undefined behind our back', 'ready', { domainState: undefined }, 'guest-gone', true],
  ['powers itself off', 'ready', { domainState: 'shut off' }, 'guest-off', true],
  ['crashes', 'panic', { domainState: 'crashed' }, 'guest-off', true],
  ['is paused', 'ready', { domainState: 'paused' }, 'guest-paused', false],
  ['sleeps', 'ready', { domainState: 'pmsuspended' }, 'guest-paused', false],
  // firmware and boot loader
  [
    'has a disk without a boot loader',
    'no-bootable-device',
    { cards: [silentCard] },
    'no-bootable-device',
    true,
  ],
  ['has such a disk, under UEFI', 'uefi-nothing', { cards: [silentCard] }, 'no-bootable-device', true],
  ['waits in a boot menu', 'boot-menu', { cards: [silentCard] }, 'firmware-waits', false],
  [
    'has boot code that hangs',
    'boot-code-hangs',
    { cards: [silentCard], busyCpus: 1 },
    'boot-code-silent',
    false,
  ],
  ['has a boot loader for the screen', 'boot-code-hangs', { cards: [silentCard] }, 'boot-code-silent', false],
  ['stops in GRUB', 'grub-shell', { cards: [silentCard] }, 'boot-loader-failed', true],
  [
    'stops in GRUB without a kernel',
    'grub-shell-no-kernel',
    { cards: [silentCard] },
    'boot-loader-failed',
    true,
  ],
  [
    'has only just come to a prompt',
    'grub-shell',
    { cards: [silentCard], quietSeconds: 1 },
    'boot-loader-failed',
    false,
  ],
  ['has a kernel that does not speak', 'kernel-silent', { cards: [silentCard] }, 'kernel-silent', false],
  ['says nothing at all', '', { cards: [silentCard] }, 'console-silent', false],
  // the system
  ['panics', 'panic', { cards: [silentCard] }, 'kernel-panic', true],
  ['has only just panicked, and may reboot', 'panic', { quietSeconds: 2 }, 'kernel-panic', false],
  ['panics again and again', 'panic-twice', { quietSeconds: 0 }, 'kernel-panic', true],
  ['stops in emergency mode', 'emergency', {}, 'emergency-shell', false],
  ['does not find its root file system', 'initramfs-shell', {}, 'emergency-shell', false],
  ['is booting', 'kernel-silent', { quietSeconds: 1 }, 'still-booting', false],
  // its network
  ['has no card', 'no-dhcp', { cards: [] }, 'no-network-card', true],
  ['has no driver for its card', 'ready', { cards: [silentCard] }, 'card-silent', false],
  [
    'is on a network without DHCP',
    'no-dhcp',
    { cards: [{ ...card, dhcp: 'none' }] },
    'no-dhcp-server',
    false,
  ],
  [
    'asks a dnsmasq that is gone',
    'no-dhcp',
    { cards: [{ ...card, dhcp: 'stopped' }] },
    'dhcp-server-stopped',
    false,
  ],
  ['asks in vain', 'no-dhcp', {}, 'dhcp-unanswered', false],
  [
    'asks in vain, without a word',
    '',
    { cards: [{ ...card, dhcpLog: ['DHCPDISCOVER(virbr0) 52:54:00:1b:77:02'] }] },
    'dhcp-unanswered',
    false,
  ],
  [
    'asks in vain on a bridge',
    'no-dhcp',
    { cards: [{ ...card, kind: 'bridge', name: 'br0', dhcp: 'elsewhere' }] },
    'dhcp-unanswered',
    false,
  ],
  ['does not ask', 'ready', {}, 'no-address', false],
  // ssh
  [
    'has no ssh server',
    'ready',
    { addresses: [address], ssh: ssh({ answer: 'refused', banner: undefined }) },
    'ssh-off',
    false,
  ],
  [
    'has none behind a forwarded port',
    'ready',
    { ssh: ssh({ answer: 'mute', banner: undefined, port: 2222 }), addresses: [address] },
    'ssh-off',
    false,
  ],
  [
    'drops what comes to the port',
    'ready',
    { addresses: [address], ssh: ssh({ answer: 'silent' }) },
    'ssh-unreachable',
    false,
  ],
  [
    'was there before',
    'ready',
    { addresses: [address], ssh: ssh({ answer: 'unreachable' }) },
    'ssh-unreachable',
    false,
  ],
  [
    'answers as a web server',
    'ready',
    { addresses: [address], ssh: ssh({ answer: 'foreign', banner: 'HTTP/1.1 400' }) },
    'ssh-foreign',
    false,
  ],
  [
    'knows another key',
    'ready',
    { addresses: [address], ssh: ssh({ login: refused }) },
    'ssh-key-refused',
    false,
  ],
  [
    'knows another key for good',
    'cloud-init-finished',
    { addresses: [address], ssh: ssh({ login: refused }) },
    'ssh-key-refused',
    true,
  ],
  [
    'hangs up',
    'ready',
    {
      addresses: [address],
      ssh: ssh({ login: { ...refused, outcome: 'failed', words: 'Connection reset' } }),
    },
    'ssh-failed',
    false,
  ],
  // cloud-init
  [
    'has bad user-data',
    'user-data-unreadable',
    { goal: 'cloud-init', addresses: [address] },
    'user-data-unreadable',
    true,
  ],
  [
    'has a script that fails',
    'user-data-failed',
    { goal: 'cloud-init', addresses: [address] },
    'user-data-failed',
    true,
  ],
  [
    'reports errors of cloud-init',
    'ready',
    {
      goal: 'cloud-init',
      addresses: [address],
      cloudInit: { errors: ["('package_update', 'apt failed')"], recoverable: [] },
    },
    'cloud-init-failed',
    true,
  ],
  [
    'reports bad user-data',
    'ready',
    {
      goal: 'cloud-init',
      addresses: [address],
      cloudInit: { errors: [], recoverable: ['Failed loading yaml blob. Invalid format'] },
    },
    'user-data-unreadable',
    true,
  ],
  [
    'has no cloud-init',
    'ready',
    { goal: 'cloud-init', addresses: [address], ssh: ssh({ login: { ...refused, outcome: 'accepted' } }) },
    'cloud-init-unseen',
    false,
  ],
  [
    'says that it has no cloud-init',
    'ready',
    { goal: 'cloud-init', addresses: [address], withoutCloudInit: true },
    'cloud-init-absent',
    true,
  ],
  // a line of the console
  ['prints other things', 'ready', { goal: 'console' }, 'pattern-unseen', false],
  ['panics before the line', 'panic', { goal: 'console' }, 'kernel-panic', true],
];

describe('the diagnosis', () => {
  it.each(cases)('of a guest that %s', (_what, log, more, cause, final) => {
    const diagnosis = diagnose(evidenceOf(log, more), 'web');
    expect([diagnosis.cause, diagnosis.final]).toEqual([cause, final]);
  });

  it('has something to try for every cause, and names the guest in it', () => {
    for (const [, log, more] of cases) {
      const { cures, likely, problem } = diagnose(evidenceOf(log, more), 'web');
      expect([cures.length > 0, likely.length > 0, problem.length > 0]).toEqual([true, true, true]);
    }
  });

  it('says of a guest with an address and a silent console nothing about its boot', () => {
    const more = { addresses: [address], ssh: ssh({ answer: 'refused' as const }) };
    expect(diagnose(evidenceOf('', more), 'web').cause).toBe('ssh-off');
  });

  it('tells the reasons of panics apart', () => {
    const likelyOf = (words: string) =>
      diagnose(
        { ...evidenceOf(''), console: readConsole(`[    1.000000] Kernel panic - not syncing: ${words}\n`) },
        'web',
      ).likely;
    expect(likelyOf('VFS: Unable to mount root fs on unknown-block(0,0)')).toContain('root file system');
    expect(likelyOf('System is deadlocked on memory')).toContain('too little memory');
    expect(likelyOf('No working init found.')).toContain('init');
    expect(likelyOf('Fatal exception in interrupt')).toContain('Fatal exception in interrupt');
  });
});

describe('cloud-init that has not finished', () => {
  const upTo = (words: string) => {
    const text = readConsoleFixture('user-data-failed');
    return readConsole(text.slice(0, text.indexOf(words)));
  };
  const waiting = { goal: 'cloud-init' as const, hostLoad: 6 };
  const atWork = (words: string, more: Partial<Evidence>) =>
    diagnose({ ...evidenceOf('', { ...waiting, ...more }), console: upTo(words) }, 'web');

  it('is said to be at its part, on a host that is slow', () => {
    const diagnosis = atWork('setting up', { addresses: [address], quietSeconds: 1 });
    expect(diagnosis).toMatchObject({ cause: 'cloud-init-unseen', final: false });
    expect(diagnosis.problem).toBe('has not finished cloud-init: it is at "modules:final"');
    expect(diagnosis.likely).toMatch(
      /scripts and commands of the user-data; and .* emulated .* overloaded \(6 /,
    );
    const quick = atWork('setting up', { addresses: [address], virtType: 'kvm', hostLoad: 1 });
    expect(quick.likely).not.toContain('; and');
  });

  it('is why a guest has no ssh server and knows no key yet', () => {
    for (const more of [{ answer: 'refused' as const, banner: undefined }, { login: refused }]) {
      const diagnosis = atWork("running 'modules:config'", { addresses: [address], ssh: ssh(more) });
      expect(diagnosis.problem).toContain('"modules:config"');
    }
  });

  it('is why a guest has no network while it sets that up, and not after', () => {
    expect(atWork("running 'init' ", { cards: [silentCard] }).cause).toBe('card-silent');
    expect(atWork('resizing filesystem', { cards: [silentCard] }).problem).toContain('"init-local"');
  });

  it('is an image without it only where nothing was seen of it', () => {
    const more = { goal: 'cloud-init' as const, addresses: [address], hostLoad: 6 };
    const { likely } = diagnose(evidenceOf('ready', more), 'web');
    expect(likely).toMatch(/^the image has no cloud-init, or .*overloaded/);
  });
});

describe('the autopsy for people', () => {
  it('tells what a script of the user-data printed before it failed', () => {
    const errors = [
      "('scripts-user', RuntimeError('Runparts: 2 failures (part-001,runcmd) in 2 attempted commands'))",
    ];
    const evidence = evidenceOf('user-data-failed', {
      ...{ goal: 'cloud-init', addresses: [address], cloudInit: { errors, recoverable: [] } },
    });
    const text = renderAutopsy({ diagnosis: diagnose(evidence, 'web'), evidence, stages: [] });
    const printed = "ls: cannot access '/nowhere': No such file or directory";
    expect(text).toContain(`printed before it failed: ${printed}`);
    expect(text).toContain(`ended with an error: ${printed}`);
    expect(text).toContain(`cloud-init: ${errors[0] ?? ''}`);
  });

  it('tells what was reached, seen, likely, and what to try', () => {
    const evidence = evidenceOf('no-dhcp', {
      goal: 'address',
      cards: [{ ...card, dhcp: 'none', name: 'lab' }],
    });
    const text = renderAutopsy({
      diagnosis: diagnose(evidence, 'web'),
      evidence,
      stages: [
        { stage: 'started', atSeconds: 0 },
        { stage: 'firmware', atSeconds: null },
        { stage: 'kernel', atSeconds: 4.1 },
      ],
    });
    expect(
      text
        .split('\n')
        .map((line) => line.slice(0, 13).trim())
        .filter((title) => title !== ''),
    ).toEqual(['reached', 'evidence', 'likely', 'try']);
    expect(text).toContain('reached      firmware before, kernel 4.1 s');
    expect(text).toContain(
      'leases of network "lab" (it has no DHCP): none for 52:54:00:1b:77:02, 30 packets sent, DHCP asked 12 times',
    );
    expect(text).toContain('udhcpc: no lease, forking to background');
    expect(text).toContain('launch IMAGE --network-config FILE');
  });

  it('gives ssh its own words', () => {
    const evidence = evidenceOf('ready', { addresses: [address], ssh: ssh({ login: refused }) });
    const text = renderAutopsy({ diagnosis: diagnose(evidence, 'web'), evidence, stages: [] });
    expect(text).toContain('ssh 192.168.122.35:22: SSH-2.0-x');
    expect(text).toContain('login as root: Permission denied (publickey).');
    expect(text).toContain('reached      started, no more');
  });
});
