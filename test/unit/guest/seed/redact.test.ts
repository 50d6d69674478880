import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

import { readUserData } from '../../../../src/guest/seed/read-user-data.js';
import { redactDocument } from '../../../../src/guest/seed/redact.js';
import { composeUserData } from '../../../../src/guest/seed/user-data.js';

const secret = 'hunter2-$6$salt';
const pem = '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----';
const shownOf = (path: string, text: string): string =>
  redactDocument(path, text)
    .map((part) => part.text)
    .join('\n');

describe('redactDocument', () => {
  it('keeps a cloud-config as it was written, but for its secrets', () => {
    const text = [
      '#cloud-config',
      '# a comment, kept',
      'hostname:   web   # and its spaces',
      'password: hunter2-$6$salt',
      'chpasswd:',
      '  expire: false',
      '  list: |',
      '    root:hunter2-$6$salt',
      '    bob:hunter2-$6$salt',
      '  users:',
      '    - {name: bob, password: hunter2-$6$salt, type: text}',
      'users:',
      '  - name: bob',
      '    lock_passwd: true',
      '    hashed_passwd: "hunter2-$6$salt"',
      '    ssh_authorized_keys: [ssh-ed25519 AAAA shown]',
      'ssh_keys:',
      '  ed25519_private: |',
      ...pem.split('\n').map((line) => `    ${line}`),
      '  ed25519_public: ssh-ed25519 AAAA shown-too',
      'my_api_key: >-',
      '  hunter2-$6$salt',
      'runcmd: [ls]',
      '',
    ].join('\n');
    const shown = shownOf('user-data', text);
    expect(shown).not.toContain('hunter2');
    expect(shown).not.toContain('b3BlbnNz');
    for (const kept of [
      '# a comment, kept',
      'hostname:   web   # and its spaces',
      'lock_passwd: true',
      'expire: false',
      'AAAA shown]',
      'AAAA shown-too',
      '{name: bob, password: <not shown>, type: text}',
      'runcmd: [ls]',
    ]) {
      expect(shown).toContain(kept);
    }
    expect(parse(shown)).toMatchObject({ hostname: 'web', runcmd: ['ls'], my_api_key: '<not shown>' });
  });

  it('shows small files as they are, and of large and encoded ones the size', () => {
    const large = 'x'.repeat(2000);
    const text = `#cloud-config\nwrite_files:\n  - {path: /a, content: "small"}\n  - {path: /b, content: ${large}}\n  - {path: /c, encoding: b64, content: aGVsbG8=}\n`;
    const shown = shownOf('user-data', text);
    expect(shown).toContain('content: "small"');
    expect(shown).toContain('{path: /b, content: <2000 bytes, not shown>}');
    expect(shown).toContain('content: <5 bytes, not shown>');
    expect(shown).not.toContain('aGVsbG8=');
    expect(shown).not.toContain('xxx');
  });

  it('masks private keys wherever they stand', () => {
    const shown = shownOf('user-data', `#!/bin/sh\ncat <<E\n${pem}\nE\necho done\n`);
    expect(shown).not.toContain('b3BlbnNz');
    expect(shown).toContain('echo done');
  });

  it.each([
    [`export DB_PASSWORD='${secret}'`, 'export DB_PASSWORD=<not shown>'],
    [`token: ${secret}`, 'token: <not shown>'],
    [`curl https://bob:${secret}@example.com/x`, 'curl https://<not shown>@example.com/x'],
    ['PATH=/bin', 'PATH=/bin'],
  ])('shows of the script line %j %j', (line, expected) => {
    expect(shownOf('user-data', `#!/bin/sh\n${line}\n`)).toBe(`#!/bin/sh\n${expected}\n`);
  });

  it('shows the parts of a message, decoded and without secrets', () => {
    const config = readUserData(Buffer.from(`#cloud-config\n# größe\npassword: ${secret}\n`), 'a');
    const own = { user: undefined, publicKeys: [], commands: ['ls'], files: [] };
    const parts = redactDocument('user-data', composeUserData([config], own) ?? '');
    expect(parts.map(({ type, filename }) => [type, filename])).toEqual([
      ['text/cloud-config', 'part-001'],
      ['text/cloud-config', 'launch'],
    ]);
    expect(parts[0]?.text).toBe('#cloud-config\n# größe\npassword: <not shown>\n');
  });

  it('masks the random seed and passwords of JSON', () => {
    const shown = shownOf(
      'openstack/latest/meta_data.json',
      JSON.stringify({ random_seed: 'AAAA', admin_pass: secret, name: 'web' }),
    );
    expect(JSON.parse(shown)).toEqual({ random_seed: '<not shown>', admin_pass: '<not shown>', name: 'web' });
  });

  it('masks wireless passwords of a network-config, and YAML that nobody can read by its lines', () => {
    expect(
      shownOf('network-config', `wifis: {w: {access-points: {a: {password: ${secret}}}}}\n`),
    ).not.toContain(secret);
    expect(shownOf('user-data', `#cloud-config\na: [\npassword: ${secret}\n`)).not.toContain(secret);
  });
});
