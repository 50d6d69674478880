import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { asMaker } from '../../../src/host/maker.js';
import { lookAt, openHostWithGuest, switchOff } from '../../support/examined-host.js';
import { openIntegrationHost } from '../../support/integration-host.js';

const token = '4194304-0123456789ab';

describe('leftovers', () => {
  it('there are none where all is well', async () => {
    const host = await openHostWithGuest();
    expect(await lookAt(host, 'leftovers')).toMatchObject({
      status: 'ok',
      found: 'none; 1 instance, each with its domain',
    });
  });

  it.each([
    ['a maker that is gone', true],
    ['a maker whose lock is gone too, which no other command clears', false],
  ])('files of %s are cleared by --fix', async (_, hasLock) => {
    const host = await openHostWithGuest();
    const paths = [
      join(host.home.bases, `.converted.${token}.tmp`),
      join(dirname(host.disk), `.disk.${token}.tmp`),
    ];
    for (const path of paths) await writeFile(path, 'half');
    if (hasLock) await writeFile(host.home.lock(`maker-${token}`), '');
    const before = await lookAt(host, 'leftovers');
    expect(before).toMatchObject({ status: 'warning', found: '2 temporary files' });
    expect([...(before.facts['temporary'] as string[])].sort()).toEqual(paths.sort());
    expect(await lookAt(host, 'leftovers', { fix: true })).toMatchObject({ status: 'ok' });
    for (const path of paths) expect(await readdir(dirname(path))).not.toContain(path);
    expect((await lookAt(host, 'leftovers', { fix: true })).done).toEqual([]);
  });

  it('files of one who is at work are none', async () => {
    const host = await openIntegrationHost();
    await asMaker(host.home, async (maker) => {
      await mkdir(host.home.images, { recursive: true });
      await writeFile(maker.temporaryPath(join(host.home.images, 'x')), 'half');
      expect(await lookAt(host, 'leftovers')).toMatchObject({ status: 'ok' });
    });
  });

  it('a record without a domain is told, and left', async () => {
    const host = await openHostWithGuest();
    host.hypervisor.loseDomain(host.uuid);
    const look = await lookAt(host, 'leftovers', { fix: true });
    expect(look).toMatchObject({
      status: 'warning',
      done: [],
      facts: { recordsWithoutDomain: [host.domainName] },
      problems: [{ cure: { command: `launch start ${host.domainName}`, automatic: false } }],
    });
  });

  it('a domain without a record is forgotten only when it is off and its disk is gone', async () => {
    const host = await openHostWithGuest();
    await rm(join(dirname(host.disk), 'instance.json'));
    const kept = await lookAt(host, 'leftovers', { fix: true });
    expect(kept.facts).toMatchObject({ domainsWithoutRecord: [host.domainName], damaged: [host.domainName] });
    expect(kept.done).toEqual([]);
    await switchOff(host);
    expect((await lookAt(host, 'leftovers', { fix: true })).done).toEqual([]);
    await rm(dirname(host.disk), { recursive: true });
    expect(await lookAt(host, 'leftovers', { fix: true })).toMatchObject({
      status: 'ok',
      done: [`libvirt forgot the domain ${host.domainName}`],
    });
    expect(await host.hypervisor.findDomain(host.uuid)).toBeUndefined();
  });
});
