import { describe, expect, it } from 'vitest';

import { checkLoginUser, renderSshOptions } from '../../../../src/guest/ssh/ssh-options.js';
import { launchErrorOf } from '../../host/launch-error-of.js';

const connection = {
  endpoint: { address: '192.168.122.34', port: 22 },
  knownHostsFile: '/home of/100%/known_hosts',
  hostKeyAlias: 'launch-5e3f0c9a',
};

describe('renderSshOptions', () => {
  it('leaves the user’s configuration and host keys out, and keeps the guest’s own apart', () => {
    const options = renderSshOptions(connection);
    expect(options.slice(0, 4)).toEqual(['-F', 'none', '-p', '22']);
    expect(options).toContain('UserKnownHostsFile="/home of/100%%/known_hosts"');
    expect(options).toContain('GlobalKnownHostsFile=none');
    expect(options).toContain('HostKeyAlias=launch-5e3f0c9a');
    expect(options).toContain('StrictHostKeyChecking=accept-new');
    expect(options).not.toContain('IdentitiesOnly=yes');
  });

  it('offers only the key that is known to be right', () => {
    const options = renderSshOptions({
      ...connection,
      identityFile: '/keys/id',
      user: 'debian',
      batch: true,
    });
    expect(options.join(' ')).toContain('-l debian -i /keys/id');
    expect(options).toContain('IdentitiesOnly=yes');
    expect(options).toContain('BatchMode=yes');
  });

  it.each(['-oProxyCommand=x', '192.168.122.34 -x', 'fe80::1%-o x', 'web', '', '192.168.122.34%'])(
    'refuses what is no address: %j',
    async (address) => {
      const error = await launchErrorOf(() =>
        renderSshOptions({ ...connection, endpoint: { address, port: 22 } }),
      );
      expect(error.code).toBe('ARGUMENT_INVALID');
    },
  );

  it.each([0, 65_536, 1.5, Number.NaN])('refuses what is no port: %j', async (port) => {
    const endpoint = { address: '127.0.0.1', port };
    expect((await launchErrorOf(() => renderSshOptions({ ...connection, endpoint }))).code).toBe(
      'ARGUMENT_INVALID',
    );
  });

  it('takes an IPv6 address, and one with its zone', () => {
    for (const address of ['fd00::1', 'fe80::1%virbr0']) {
      expect(() => renderSshOptions({ ...connection, endpoint: { address, port: 22 } })).not.toThrow();
    }
  });
});

describe('checkLoginUser', () => {
  it.each(['root', 'debian', 'first.last', 'admin@corp', '_apt', 'host$'])('takes %j', (user) => {
    expect(checkLoginUser(user)).toBe(user);
  });

  it.each(['-oProxyCommand=id', '', 'a b', 'a\nb', '$(id)', 'a;b'])('refuses %j', async (user) => {
    expect((await launchErrorOf(() => checkLoginUser(user))).code).toBe('ARGUMENT_INVALID');
  });
});
