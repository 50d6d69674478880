import { describe, expect, it } from 'vitest';

import { findSshFailure } from '../../../../src/guest/ssh/ssh-log.js';

// As OpenSSH 9.2 writes them with -E and LogLevel DEBUG1, shortened.
const connected = `debug1: Connecting to 127.0.0.1 [127.0.0.1] port 2299.
debug1: Connection established.
debug1: Authenticating to 127.0.0.1:2299 as 'root'
`;
const authenticated = `${connected}debug1: Next authentication method: publickey
debug1: Offering public key: /keys/id ED25519 SHA256:BLef explicit
debug1: Server accepts key: /keys/id ED25519 SHA256:BLef explicit
Authenticated to 127.0.0.1 ([127.0.0.1]:2299) using "publickey".
debug1: Entering interactive session.
debug1: Sending command: exit 255
`;

describe('findSshFailure', () => {
  it('finds none when the command in the guest ended, even with ssh’s own exit code', () => {
    expect(
      findSshFailure(
        `${authenticated}Transferred: sent 3496, received 3352 bytes\ndebug1: Exit status 255\n`,
      ),
    ).toBeUndefined();
  });

  it('is not taken in by a command that is called like its words', () => {
    const log = `${authenticated}debug1: Sending command: echo debug1: Exit status 0\n`;
    expect(findSshFailure(log)?.kind).toBe('lost');
  });

  it.each([
    [
      'unreachable',
      'ssh: connect to host 127.0.0.1 port 2298: Connection refused',
      'connect to host 127.0.0.1 port 2298: Connection refused',
    ],
    ['unreachable', 'ssh: connect to host 192.168.122.9 port 22: No route to host', undefined],
    ['closed', 'kex_exchange_identification: Connection closed by remote host', undefined],
    ['closed', 'Connection timed out during banner exchange', undefined],
    ['host-key-changed', '@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @', undefined],
    [
      'denied',
      'root@127.0.0.1: Permission denied (publickey,password).',
      'Permission denied (publickey,password).',
    ],
    ['denied', 'Received disconnect from 127.0.0.1 port 22:2: Too many authentication failures', undefined],
    ['other', 'Bad configuration option: foo', 'Bad configuration option: foo'],
  ])('tells %s by %j', (kind, line, words) => {
    const failure = findSshFailure(`${connected}${line}\n`);
    expect(failure?.kind).toBe(kind);
    if (words !== undefined) expect(failure?.words).toBe(words);
  });

  it('tells a connection that was lost after the login', () => {
    const failure = findSshFailure(
      `${authenticated}Connection to 127.0.0.1 closed by remote host.\ndebug1: Exit status -1\n`,
    );
    expect(failure).toMatchObject({
      kind: 'lost',
      words: 'Connection to 127.0.0.1 closed by remote host.',
    });
  });

  it('names the keys that were offered, and what would have been taken', () => {
    const failure = findSshFailure(`${connected}debug1: Authentications that can continue: publickey,password
debug1: Offering public key: mine@laptop ED25519 SHA256:Ag agent
debug1: Offering public key: /keys/id ED25519 SHA256:BLef explicit
debug1: Authentications that can continue: publickey
Load key "/keys/other": Permission denied
root@127.0.0.1: Permission denied (publickey).
`);
    expect(failure).toMatchObject({
      kind: 'denied',
      offeredKeys: ['mine@laptop ED25519 SHA256:Ag agent', '/keys/id ED25519 SHA256:BLef'],
      keyComplaints: ['Load key "/keys/other": Permission denied'],
      acceptedMethods: ['publickey'],
    });
  });
});
