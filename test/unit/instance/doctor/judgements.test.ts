import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseAllowedPaths } from '../../../../src/instance/doctor/apparmor.js';
import { judgeClock } from '../../../../src/instance/doctor/clock-check.js';
import { shellQuote, statusOf, type Problem } from '../../../../src/instance/doctor/finding.js';
import { parseProcessor } from '../../../../src/instance/doctor/kvm-check.js';
import { judgeMemory, parseMemory, type DomainMemory } from '../../../../src/instance/doctor/memory-check.js';
import { parseRemembered } from '../../../../src/instance/doctor/owners-check.js';
import { booleanProblems, labelProblems } from '../../../../src/instance/doctor/selinux.js';
import { judgeSpace } from '../../../../src/instance/doctor/space-check.js';

const mib = 1024 ** 2;
const gib = 1024 ** 3;

function levels(problems: readonly Problem[]): readonly string[] {
  return problems.map(({ level }) => level);
}

describe('statusOf', () => {
  const problem = (level: Problem['level']): Problem => ({ level, found: '', why: '', cure: { text: '' } });
  it.each([
    [[], false, 'ok'],
    [[], true, 'unknown'],
    [['note'], false, 'ok'],
    [['note', 'warning'], true, 'warning'],
    [['warning', 'failed', 'note'], true, 'failed'],
  ] as const)('%j, unknown %s: %s', (found, unknown, expected) => {
    expect(statusOf({ found: '', problems: found.map(problem), unknown })).toBe(expected);
  });
});

it('quotes words for a shell', () => {
  expect(['/var/lib/launch', "/home/o'neill/a b", '$(reboot)'].map(shellQuote)).toEqual([
    '/var/lib/launch',
    "'/home/o'\\''neill/a b'",
    "'$(reboot)'",
  ]);
});

describe('parseProcessor', () => {
  it.each([
    ['flags\t\t: fpu vmx sse\n', 'vmx', false],
    ['flags\t\t: fpu svm hypervisor\n', 'svm', true],
    ['flags\t\t: fpu avmx svme\nvmx flags\t: ept\n', undefined, false],
    ['', undefined, false],
  ] as const)('%j', (text, flag, isGuest) => {
    expect(parseProcessor(text)).toEqual({ flag, isGuest });
  });
});

describe('memory', () => {
  const meminfo = (availableKib: number, pages = '0', free = '0') =>
    `MemTotal:        8388608 kB\nMemAvailable:    ${availableKib} kB\nHugePages_Total:       ${pages}\nHugePages_Free:        ${free}\nHugepagesize:       2048 kB\n`;
  const domain = (more: Partial<DomainMemory> = {}): DomainMemory => ({
    ...{ name: 'a', isRunning: true, hugePages: false, memoryBytes: gib },
    ...more,
  });
  const judge = (text: string, ...domains: readonly DomainMemory[]) =>
    judgeMemory(parseMemory(text), domains);

  it('reads /proc/meminfo', () => {
    expect(parseMemory(meminfo(4194304, '16', '4'))).toEqual({
      totalBytes: 8 * gib,
      availableBytes: 4 * gib,
      hugePageBytes: 2 * mib,
      totalHugePages: 16,
      freeHugePages: 4,
    });
  });

  it('wants room for one more guest', () => {
    expect(levels(judge(meminfo(4194304), domain()))).toEqual([]);
    expect(levels(judge(meminfo(500 * 1024)))).toEqual(['warning']);
    expect(levels(judge(meminfo(100 * 1024)))).toEqual(['failed']);
  });

  it('tells when running domains may take more than there is; those that are off do not count', () => {
    expect(levels(judge(meminfo(4194304), domain({ memoryBytes: 9 * gib })))).toEqual(['warning']);
    expect(levels(judge(meminfo(4194304), domain({ memoryBytes: 9 * gib, isRunning: false })))).toEqual([]);
  });

  it('tells of huge pages that nobody asks for, and of domains that wait for some', () => {
    const text = meminfo(4194304, '600', '500');
    expect(judge(text)[0]?.found).toContain('1000 MiB are set aside');
    expect(levels(judge(text, domain({ hugePages: true })))).toEqual([]);
    const [waiting] = judge(text, domain({ hugePages: true, isRunning: false, memoryBytes: 2 * gib }));
    expect(waiting?.cure.command).toBe('sysctl -w vm.nr_hugepages=1124');
  });
});

describe('judgeSpace', () => {
  const facts = { freeBytes: 50 * gib, totalBytes: 100 * gib, freeInodes: 100_000, promisedBytes: 0 };
  it.each([
    [{}, []],
    [{ freeInodes: undefined }, []],
    [{ freeBytes: 15 * mib }, ['failed']],
    [{ freeBytes: 4 * gib }, ['warning']],
    // Of a large file system a twentieth is plenty.
    [{ freeBytes: 20 * gib, totalBytes: 10_000 * gib }, []],
    [{ promisedBytes: 60 * gib }, ['note']],
    [{ freeInodes: 900 }, ['warning']],
    [{ freeInodes: 10 }, ['failed']],
  ])('%j: %j', (more, expected) => {
    expect(levels(judgeSpace({ ...facts, ...more }, '/home'))).toEqual(expected);
  });
});

describe('judgeClock', () => {
  const now = new Date('2026-03-01T12:00:00Z');
  it('is content with what was before, and with a little that is not', () => {
    expect(
      judgeClock(now, { earlier: new Date('2026-02-01'), just: new Date('2026-03-01T12:04:00Z') }),
    ).toEqual([]);
  });

  it('names the latest thing that would be yet to come', () => {
    const problems = judgeClock(now, {
      one: new Date('2026-04-01'),
      'an image came': new Date('2027-04-01'),
    });
    expect(problems).toHaveLength(1);
    expect(problems[0]?.found).toContain('but an image came at 2027-04-01');
  });
});

describe('parseRemembered', () => {
  it('reads what getfattr dumps', () => {
    const dump = [
      '# file: /var/lib/a b\\302\\251/disk',
      'trusted.libvirt.security.dac="+0:+107"',
      'trusted.libvirt.security.ref_dac="2"',
      'trusted.libvirt.security.timestamp_dac="1795337113"',
      '',
      '# file: /x',
      'trusted.libvirt.security.dac="+0:+0"',
      '',
    ].join('\n');
    expect(parseRemembered(dump)).toEqual([
      { path: '/var/lib/a b©/disk', users: 2, owner: '0:107', bootSeconds: 1795337113 },
      { path: '/x', users: 0, owner: '0:0', bootSeconds: undefined },
    ]);
    expect(parseRemembered('')).toEqual([]);
  });
});

it('reads which files a profile of AppArmor allows', () => {
  const profile =
    '  "/h/disk" rwk,\n  "/h/_base/x" rk,\n  deny "/h/secret" r,\n  "/h/log" w,\n  # "/h/comment" r,\n';
  expect([...parseAllowedPaths(profile)]).toEqual(['/h/disk', '/h/_base/x']);
});

describe('booleans of SELinux', () => {
  it.each([
    ['0 0', 0x6969, 'virt_use_nfs'],
    ['1 1', 0x6969, undefined],
    ['0 0', 0xef53, undefined],
  ])('%j on %x: %s', async (value, magic, boolean) => {
    const directory = await mkdtemp(join(tmpdir(), 'launch-unit-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    await mkdir(join(directory, 'booleans'));
    await writeFile(join(directory, 'booleans', 'virt_use_nfs'), value);
    const problems = await booleanProblems(directory, magic);
    expect(problems.map(({ cure }) => cure.command)).toEqual(
      boolean === undefined ? [] : [`setsebool -P ${boolean} on`],
    );
  });
});

describe('the label that SELinux has for the home', () => {
  it.each([
    ['unconfined_u:object_r:virt_var_lib_t:s0', undefined],
    ['system_u:object_r:svirt_image_t:s0:c1,c2', undefined],
    ['unconfined_u:object_r:var_lib_t:s0', 'warning'],
    ['?', undefined],
    ['', undefined],
  ])('%j: %s', (label, level) => {
    const problems = labelProblems(label, '/var/lib/launch');
    expect(problems.map((problem) => problem.level)).toEqual(level === undefined ? [] : [level]);
    if (level === undefined) return;
    expect(problems[0]?.cure.command).toBe(
      "semanage fcontext -a -t virt_var_lib_t '/var/lib/launch(/.*)?' && restorecon -R /var/lib/launch",
    );
  });
});
