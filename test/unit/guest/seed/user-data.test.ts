import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

import { checkUserName, type OwnConfig } from '../../../../src/guest/seed/cloud-config.js';
import { readMultipart } from '../../../../src/guest/seed/mime.js';
import { readUserData } from '../../../../src/guest/seed/read-user-data.js';
import { composeUserData, maximumUserDataBytes, needsNetwork } from '../../../../src/guest/seed/user-data.js';
import { LaunchError } from '../../../../src/host/launch-error.js';

const read = (text: string | Buffer) => readUserData(Buffer.from(text), '"ud"');
const nothing: OwnConfig = { user: undefined, publicKeys: [], commands: [], files: [] };
const refusalOf = (run: () => unknown): LaunchError => {
  try {
    run();
  } catch (error) {
    if (error instanceof LaunchError) return error;
    throw error;
  }
  throw new Error('it was not refused');
};

describe('readUserData', () => {
  it.each([
    ['#cloud-config\nruncmd: [ls]\n', 'cloud-config'],
    ['\n\n#Cloud-Config\n{}\n', 'cloud-config'],
    ['#!/bin/sh\necho\n', 'script'],
    ['#include\nhttps://example.com/a\n', 'include'],
    ['#include-once https://example.com/a\n', 'include'],
    ['## template: jinja\n#cloud-config\nhostname: {{ v1.x }}\n', 'jinja'],
    ['#cloud-boothook\n#!/bin/sh\n', 'boothook'],
    ['#part-handler\n', 'part-handler'],
    ['#cloud-config-archive\n- content: a\n', 'archive'],
    ['#cloud-config-jsonp\n[{"op": "add", "path": "/runcmd", "value": []}]\n', 'json-patch'],
    ['#ps1_sysnative\nWrite-Host\n', 'cloudbase'],
    ['{"ignition": {"version": "3.0.0"}}', 'ignition'],
    [multipart(['text/cloud-config', '#cloud-config\n{}\n']), 'multipart'],
  ])('tells %j', (text, kind) => {
    expect(read(text).kind.kind).toBe(kind);
  });

  it('unpacks gzip, and takes a byte order mark away', () => {
    expect(read(gzipSync('#cloud-config\n{}\n')).content).toBe('#cloud-config\n{}\n');
    expect(read('\ufeff#cloud-config\n{}\n').content).toBe('#cloud-config\n{}\n');
  });

  it.each([
    ['# cloud-config\nruncmd: [ls]\n', '#cloud-config'],
    ['runcmd:\n  - ls\n', 'its first line has to be:  #cloud-config'],
    ['Content-Type: multipart/mixed; boundary=x\n\n', 'MIME-Version'],
    ['hello\n', 'it begins with'],
    ['', 'it begins with'],
  ])('refuses %j with a hint', (text, hint) => {
    const error = refusalOf(() => read(text));
    expect([error.code, error.message]).toEqual([
      'ARGUMENT_INVALID',
      '"ud" is nothing that cloud-init takes as user-data',
    ]);
    expect(error.hint).toContain(hint);
  });

  it.each([
    ['#cloud-config\nruncmd:\n  - ls\n bad: [\n', 4],
    ['#cloud-config\na: b: c\n', 2],
    ['#cloud-config\nruncmd: ["a\n', undefined],
    ['#cloud-config\na:\n\t- b\n', 3],
    ['#cloud-config\na: !!python/object:os.system x\n', 2],
  ])('refuses the YAML of %j with line and column', (text, line) => {
    const error = refusalOf(() => read(text));
    expect(error.message).toMatch(/^the YAML of "ud" is wrong at line \d+, column \d+: \S/);
    expect(error.message).not.toMatch(/\n/);
    if (line !== undefined) expect(error.details).toMatchObject({ line });
    expect(error.hint).toMatch(/\n *\^$/);
  });

  it('reads what PyYAML reads: keys twice, yes for true, merge keys', () => {
    const { configs } = read('#cloud-config\na: &a {x: 1}\nb: {<<: *a}\nruncmd: [a]\nruncmd: [b]\nc: yes\n');
    expect(configs).toEqual([{ a: { x: 1 }, b: { x: 1 }, runcmd: ['b'], c: true }]);
  });

  it.each(['#cloud-config\n- a\n', '#cloud-config\njust text\n', '#cloud-config\n'])(
    'refuses the cloud-config %j, which is no mapping',
    (text) => {
      expect(refusalOf(() => read(text)).message).toContain('no mapping');
    },
  );

  it('looks into the parts of a multipart message', () => {
    const error = refusalOf(() =>
      read(multipart(['text/x-shellscript', '#!/bin/sh\n'], ['text/cloud-config', '#cloud-config\na: [\n'])),
    );
    expect(error.message).toContain('the YAML of part 2 of "ud" is wrong');
  });

  it.each([
    ['MIME-Version: 1.0\nContent-Type: multipart/mixed\n\n', 'no boundary'],
    ['MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="x"\n\nhello\n', 'is nowhere in it'],
  ])('refuses the message %j', (text, reason) => {
    expect(refusalOf(() => read(text)).message).toContain(reason);
  });

  it('refuses what is too large, packed or not, before it is unpacked whole', () => {
    const bomb = gzipSync(Buffer.alloc(64 * maximumUserDataBytes, 35));
    for (const content of [Buffer.alloc(maximumUserDataBytes + 1, 35), bomb]) {
      expect(refusalOf(() => read(content)).message).toContain('too large');
    }
  });

  it('refuses what is no text, and gzip that is broken', () => {
    expect(refusalOf(() => read(Buffer.from([35, 33, 0xff, 0xfe]))).message).toContain('UTF-8');
    expect(refusalOf(() => read(gzipSync('#!/bin/sh').subarray(0, 12))).message).toContain('gzip');
  });
});

describe('composeUserData', () => {
  const own: OwnConfig = {
    user: 'alice',
    publicKeys: ['ssh-ed25519 AAAA x'],
    commands: ['echo "1"', "echo '2: y'"],
    files: [{ path: '/etc/motd', mode: 0o640, content: Buffer.from([0, 255]) }],
  };

  it('says nothing when there is nothing to say', () => {
    expect(composeUserData([], nothing)).toBeUndefined();
  });

  it('is a plain cloud-config when all is ours', () => {
    const document = composeUserData([], own) ?? '';
    expect(document.startsWith('#cloud-config\n')).toBe(true);
    expect(parse(document, { version: '1.1' })).toEqual({
      users: [
        'default',
        {
          name: 'alice',
          sudo: 'ALL=(ALL) NOPASSWD:ALL',
          shell: '/bin/bash',
          lock_passwd: true,
          ssh_authorized_keys: ['ssh-ed25519 AAAA x'],
        },
      ],
      write_files: [{ path: '/etc/motd', permissions: '0640', encoding: 'b64', content: 'AP8=' }],
      runcmd: ['echo "1"', "echo '2: y'"],
    });
  });

  it('lets root in when root is asked for', () => {
    expect(parse(composeUserData([], { ...nothing, user: 'root' }) ?? '')).toEqual({ disable_root: false });
  });

  it('is the user’s own, byte by byte, when nothing is ours', () => {
    const text = '#cloud-config\r\n# kept\r\nruncmd: [ls]\r\n';
    expect(composeUserData([read(text)], nothing)).toBe(text);
  });

  it('is a multipart message of both, each with its type, ours last and appending', () => {
    const config = '#cloud-config\n# größe\nusers: [default, bob]\n';
    const script = '#!/bin/sh\necho --launch\n';
    const message = composeUserData([read(config), read(script)], own) ?? '';
    expect(message).toMatch(/^Content-Type: multipart\/mixed; boundary="[\w-]+"\nMIME-Version: 1\.0\n\n--/);
    // It travels as ASCII.
    expect(message).toMatch(/^[\x00-\x7f]*$/);
    const parts = readMultipart(message);
    expect(parts.map(({ type, filename }) => [type, filename])).toEqual([
      ['text/cloud-config', 'part-001'],
      ['text/x-shellscript', 'part-002'],
      ['text/cloud-config', 'launch'],
    ]);
    expect(parts.map(({ content }) => content).slice(0, 2)).toEqual([config, script]);
    const ours = parse(parts[2]?.content ?? '') as Record<string, unknown>;
    expect(ours).toMatchObject({
      merge_how: [
        { name: 'list', settings: ['append'] },
        { name: 'dict', settings: ['no_replace', 'recurse_list'] },
      ],
      // The list of the other part has the default user already, or leaves it out on purpose.
      users: [{ name: 'alice' }],
    });
  });

  it('takes a message of the user’s whole', () => {
    const inner = multipart(
      ['text/x-shellscript', '#!/bin/sh\na\n'],
      ['text/cloud-config', '#cloud-config\nb: 1\n'],
    );
    const message = composeUserData([read(inner)], { ...nothing, commands: ['ls'] }) ?? '';
    expect(readMultipart(message).map(({ type, content }) => [type, content])).toEqual([
      ['text/x-shellscript', '#!/bin/sh\na\n'],
      ['text/cloud-config', '#cloud-config\nb: 1\n'],
      ['text/cloud-config', expect.stringContaining('runcmd:') as unknown],
    ]);
  });

  it('gives the same for the same', () => {
    const compose = () => composeUserData([read('#!/bin/sh\n')], own);
    expect(compose()).toBe(compose());
  });

  it('cannot join what is no list', () => {
    const error = refusalOf(() => composeUserData([read('#cloud-config\nruncmd: ls\n')], own));
    expect(error.message).toBe('--run cannot be joined with the user-data: its "runcmd" is no list');
  });

  it('cannot join what is not for cloud-init', () => {
    const ignition = read('{"ignition": {}}');
    expect(composeUserData([ignition], nothing)).toBe('{"ignition": {}}');
    expect(refusalOf(() => composeUserData([ignition], own)).message).toContain('nothing can be joined');
  });

  it('refuses files that make it too large', () => {
    const files = [{ path: '/a', mode: 0o644, content: Buffer.alloc(maximumUserDataBytes - 100) }];
    expect(refusalOf(() => composeUserData([], { ...nothing, files })).message).toContain(
      '1.4 MiB, of at most 1 MiB',
    );
  });
});

it.each([
  ['#include\nhttp://x\n', true],
  [multipart(['text/x-include-url', 'http://x\n']), true],
  ['#cloud-config-archive\n- "#include http://x"\n', true],
  ['#cloud-config\n{}\n', false],
  ['#!/bin/sh\n# include\n', false],
])('needsNetwork of %j is %j', (text, needed) => {
  expect(needsNetwork([read(text)])).toBe(needed);
});

it.each(['', 'Alice', '-a', '1a', 'a b', 'a'.repeat(33), 'ä', 'a:b'])('refuses the user %j', (name) => {
  expect(refusalOf(() => checkUserName(name)).code).toBe('ARGUMENT_INVALID');
});

function multipart(...parts: readonly (readonly [type: string, content: string])[]): string {
  const bodies = parts.map(([type, content]) => `--XX\nContent-Type: ${type}\n\n${content}\n`);
  return `From nobody Sat Jan  1 00:00:00 2026\nContent-Type: multipart/mixed;\n boundary=XX\nMIME-Version: 1.0\n\n${bodies.join('')}--XX--\n`;
}
