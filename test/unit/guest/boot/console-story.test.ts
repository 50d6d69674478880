import { describe, expect, it } from 'vitest';

import { ConsoleReader, readConsole, sinceLastBoot } from '../../../../src/guest/boot/console-story.js';
import type { Stage } from '../../../../src/guest/boot/stage.js';
import { readConsoleFixture } from '../../../support/console-fixture.js';

/** Stages in the order in which a reader tells them, given the log in pieces of a length. */
function stagesOf(text: string, pieceLength: number): readonly Stage[] {
  const reader = new ConsoleReader();
  const told: Stage[] = [];
  for (let at = 0; at < text.length; at += pieceLength) {
    told.push(...reader.feed(text.slice(at, at + pieceLength)));
  }
  return told;
}

describe('the stages of a boot', () => {
  it.each([1, 7, 64, 100_000])('are told in order, in pieces of %i characters', (pieceLength) => {
    expect(stagesOf(readConsoleFixture('ready'), pieceLength)).toEqual([
      'firmware',
      'boot loader',
      'kernel',
      'network',
    ]);
  });

  it.each<[string, Stage | undefined]>([
    ['no-bootable-device', 'firmware'],
    ['boot-code-hangs', 'firmware'],
    ['boot-menu', 'firmware'],
    ['uefi-nothing', 'firmware'],
    ['grub-shell', 'boot loader'],
    ['grub-shell-no-kernel', 'boot loader'],
    ['kernel-silent', 'boot loader'],
    ['panic', 'kernel'],
    ['no-dhcp', 'kernel'],
    ['emergency', 'kernel'],
    ['ready', 'network'],
    ['cloud-init-finished', 'cloud-init'],
  ])('%s comes as far as %s', (name, stage) => {
    expect(readConsole(readConsoleFixture(name)).stage).toBe(stage);
  });

  it('say nothing of an empty console', () => {
    expect(readConsole('')).toMatchObject({ spoke: false, stage: undefined, boots: 0, lastLines: [] });
    expect(readConsole('\r\n\u001b[2J')).toMatchObject({ spoke: false });
  });

  it('are not taken from a guest that only talks about them', () => {
    const login = 'web login: root\r\n# echo "SeaBIOS is gone, GRUB> too"\r\n';
    expect(readConsole(`[    1.000000] up\r\n${login}`)).toMatchObject({ stage: 'kernel', boots: 1 });
  });
});

describe('a story', () => {
  it('is of the last boot only', () => {
    const story = readConsole(readConsoleFixture('panic') + readConsoleFixture('ready'));
    expect(story).toMatchObject({ stage: 'network', boots: 2, panicking: false, loginPrompt: true });
    expect(story.panics).toHaveLength(1);
    expect(readConsole(readConsoleFixture('no-bootable-device') + readConsoleFixture('ready'))).toMatchObject(
      {
        noBootDevice: undefined,
        panics: [],
      },
    );
  });

  it('counts panics that follow one another, each once', () => {
    const story = readConsole(readConsoleFixture('panic-twice'));
    const panic = 'Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)';
    expect(story).toMatchObject({ boots: 2, panicking: true, panics: [panic, panic] });
    const ended = '[    3.4] ---[ end Kernel panic - not syncing: VFS: Unable to mount root fs ]---\n';
    expect(readConsole(readConsoleFixture('panic') + ended).panics).toEqual([panic]);
  });

  it('forgets the panics of before a boot that went well', () => {
    const text = ['panic-twice', 'ready', 'panic'].map(readConsoleFixture).join('');
    expect(readConsole(text).panics).toHaveLength(1);
  });

  it('knows the prompts that wait for somebody, also in pieces', () => {
    expect(readConsole(readConsoleFixture('grub-shell'))).toMatchObject({ bootLoaderPrompt: true });
    const story = readConsole(readConsoleFixture('grub-shell-no-kernel'));
    expect(story.bootLoaderPrompt).toBe(true);
    expect(story.bootLoaderComplaints).toContain('error: invalid magic number.');
    expect(readConsole('web login: ').loginPrompt).toBe(true);
    expect(readConsole('[    1.000000] x\nrescue:~# cat grub>\n').bootLoaderPrompt).toBe(false);
  });

  it('counts what DHCP was asked', () => {
    expect(readConsole(readConsoleFixture('no-dhcp')).dhcpAsked).toBe(12);
    expect(readConsole('DHCPDISCOVER on eth0 to 255.255.255.255 port 67 interval 6\n').dhcpAsked).toBe(1);
  });

  it('knows what cloud-init says', () => {
    const { cloudInit } = readConsole(readConsoleFixture('cloud-init-finished'));
    expect(cloudInit).toMatchObject({ running: 'modules:final', problems: [], userDataUnreadable: [] });
    expect(cloudInit.finished).toContain('DataSourceNoCloud');
    expect(readConsole(readConsoleFixture('user-data-unreadable')).cloudInit.userDataUnreadable).toHaveLength(
      2,
    );
    const failed = readConsole(readConsoleFixture('user-data-failed')).cloudInit;
    expect(failed.userDataFailed).toHaveLength(2);
    expect(failed.saidBefore).toEqual([
      'setting up',
      "ls: cannot access '/nowhere': No such file or directory",
    ]);
  });

  it('knows which part cloud-init is at, by systemd’s word before its own', () => {
    const text = readConsoleFixture('user-data-failed');
    const upTo = (words: string) => readConsole(text.slice(0, text.indexOf(words))).cloudInit.running;
    expect(upTo("running 'init-local'")).toBe('init-local');
    expect(upTo("running 'init' ")).toBe('init');
    expect(upTo("running 'modules:config'")).toBe('modules:config');
    expect(upTo('Failed to run module')).toBe('modules:final');
    const newer = '         Starting cloud-init-network.service - Cloud-init: Network Stage...\n';
    expect(readConsole(newer).cloudInit.running).toBe('init');
  });

  it('keeps the last lines without escapes', () => {
    expect(readConsole(readConsoleFixture('grub-shell')).lastLines.at(-1)).toBe('grub>');
    expect(readConsole('a\u001b[31mb\u001b[0m\u0007\r\n').lastLines).toEqual(['ab']);
  });

  it('bears a guest that prints without end', () => {
    const reader = new ConsoleReader();
    const began = performance.now();
    for (let piece = 0; piece < 200; piece += 1) reader.feed('[[['.repeat(20_000));
    for (let piece = 0; piece < 50; piece += 1) reader.feed('Kernel panic - not syncing: x\n'.repeat(500));
    expect(performance.now() - began).toBeLessThan(5000);
    const story = reader.story();
    expect(story.panics.length).toBeLessThanOrEqual(20);
    expect(story.lastLines.join('').length).toBeLessThan(30_000);
  });
});

describe('sinceLastBoot', () => {
  it('leaves out what earlier boots printed', () => {
    const ready = readConsoleFixture('ready');
    expect(sinceLastBoot(readConsoleFixture('panic') + ready)).toContain('tiny ready');
    expect(sinceLastBoot(readConsoleFixture('panic') + ready)).not.toContain('panic - not syncing');
    expect(sinceLastBoot('no boot at all')).toBe('no boot at all');
    expect(
      sinceLastBoot('[    0.000000] Linux version 1\nold\n[    0.000000] Linux version 1\nnew'),
    ).not.toContain('old');
  });
});
