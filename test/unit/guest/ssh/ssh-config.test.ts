import { describe, expect, it } from 'vitest';

import { includesFile, isSshConfigName, renderSshConfigHost } from '../../../../src/guest/ssh/ssh-config.js';

describe('renderSshConfigHost', () => {
  it('is a block that finds its address when it is used', () => {
    expect(
      renderSshConfigHost({
        names: ['web', 'instance-0000000c'],
        hostKeyAlias: 'launch-5e3f',
        user: 'debian',
        identityFile: undefined,
        knownHostsFile: '/srv/my home/known_hosts',
        proxyCommand: '/srv/100%/connect 5e3f',
      }),
    ).toBe(
      [
        'Host web instance-0000000c',
        '  HostName web',
        '  User debian',
        '  UserKnownHostsFile "/srv/my home/known_hosts"',
        '  HostKeyAlias launch-5e3f',
        '  StrictHostKeyChecking accept-new',
        '  CheckHostIP no',
        '  ProxyCommand /srv/100%%/connect 5e3f',
        '',
      ].join('\n'),
    );
  });
});

describe('isSshConfigName', () => {
  it.each(['web', 'web-1', 'a_b', '9'])('takes %j', (name) => {
    expect(isSshConfigName(name)).toBe(true);
  });

  it.each(['*', 'a b', '!a', 'a,b', 'github.com', 'localhost', '-x', 'a"b', 'é', ''])(
    'refuses %j',
    (name) => {
      expect(isSshConfigName(name)).toBe(false);
    },
  );
});

describe('includesFile', () => {
  it.each([
    ['Include /srv/config\n', true],
    ['# mine\ninclude "/srv/config"\nHost a\n', true],
    ['Include=/etc/x /srv/config\n', true],
    ['Host a\n  Include /srv/config\n', false],
    ['#Include /srv/config\n', false],
    ['Include /srv/config.old\n', false],
    ['', false],
  ])('%j: %s', (text, expected) => {
    expect(includesFile(text, '/srv/config')).toBe(expected);
  });
});
