import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';

import { asMaker } from '../../../src/host/maker.js';
import { lastNumber, peekNumber, reserveNumber } from '../../../src/instance/instance-number.js';
import type { Host } from '../../../src/instance/open-host.js';
import { launchErrorOf } from '../host/launch-error-of.js';
import { newHost, sampleInstance, storeInstance } from './sample-host.js';

async function reserve(host: Host): Promise<number> {
  return await asMaker(host.home, (maker) => reserveNumber(host, maker, {}));
}

async function setCounter(host: Host, content: string): Promise<void> {
  await mkdir(host.home.instances, { recursive: true });
  await writeFile(host.home.counterFile, content);
}

describe('numbers of instances', () => {
  it('begin at 1 and only grow', async () => {
    const host = await newHost();
    expect(await lastNumber(host)).toBe(0);
    expect([await reserve(host), await reserve(host), await reserve(host)]).toEqual([1, 2, 3]);
    expect(JSON.parse(await readFile(host.home.counterFile, 'utf8'))).toEqual({ last: 3 });
  });

  it('are given to one launch each, however many ask at once', async () => {
    const host = await newHost();
    const numbers = await Promise.all(Array.from({ length: 8 }, () => reserve(host)));
    expect(new Set(numbers).size).toBe(8);
    expect(await lastNumber(host)).toBe(8);
  });

  it('can be looked at without being taken', async () => {
    const host = await newHost();
    expect([await peekNumber(host), await peekNumber(host), await reserve(host)]).toEqual([1, 1, 1]);
  });

  it('leave out the names that records, damaged records and domains of others have', async () => {
    const host = await newHost([sampleInstance(1)]);
    await host.hypervisor.defineDomain(
      '<domain type="qemu"><name>instance-00000003</name><memory>1024</memory><os><type>hvm</type></os></domain>',
    );
    await storeInstance(host, 'instance-00000002', '{');
    expect(await peekNumber(host)).toBe(4);
    expect(await reserve(host)).toBe(4);
  });

  it('are not given anew for what was deleted', async () => {
    const host = await newHost();
    await setCounter(host, '{"last":11}');
    expect(await reserve(host)).toBe(12);
  });

  it('end where Nova’s do', async () => {
    const host = await newHost();
    await setCounter(host, `{"last":${2 ** 31 - 2}}`);
    expect(await reserve(host)).toBe(2 ** 31 - 1);
    expect((await launchErrorOf(reserve(host))).code).toBe('RECORD_INVALID');
  });

  it('are refused when the counter is damaged, and the lock is free again', async () => {
    const host = await newHost();
    await setCounter(host, '{"last":-1}');
    expect((await launchErrorOf(reserve(host))).code).toBe('RECORD_INVALID');
    await setCounter(host, '{"last":5}');
    expect(await reserve(host)).toBe(6);
  });
});
