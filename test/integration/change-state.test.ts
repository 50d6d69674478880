import { chmod, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import {
  pauseInstance,
  rebootInstance,
  resumeInstance,
  startInstance,
  stopInstance,
} from '../../src/instance/change-state.js';
import { deleteInstance } from '../../src/instance/delete-instance.js';
import { launchInstance } from '../../src/instance/launch-instance.js';
import { listInstances } from '../../src/instance/list-instances.js';
import type { InstanceRecord } from '../../src/instance/instance-record.js';
import { parseDomain } from '../../src/domain/parse-domain.js';
import {
  expectRefusal,
  importTiny,
  listTree,
  openIntegrationHost,
  type IntegrationHost,
} from '../support/integration-host.js';

async function launchTiny(): Promise<{ readonly host: IntegrationHost; readonly instance: InstanceRecord }> {
  const host = await openIntegrationHost();
  await importTiny(host);
  const { instance } = await launchInstance(host, {
    ...{ image: 'tiny', flavor: 'm1.tiny', virtType: 'qemu', name: 'web' },
  });
  return { host, instance };
}

function countOf(host: IntegrationHost, method: string): number {
  return host.hypervisor.calls.filter((call) => call.method === method).length;
}

const atOnce = { timeoutMs: 0 };

describe('start and stop', () => {
  it('go round, and say when it was so already', async () => {
    const { host } = await launchTiny();
    expect(await startInstance(host, 'web')).toMatchObject({ changed: false, domainState: 'running' });
    expect(await stopInstance(host, 'web', { timeoutMs: 1000 })).toMatchObject({
      ...{ changed: true, graceful: true, domainState: 'shut off' },
    });
    expect(await stopInstance(host, 'web', { timeoutMs: 1000 })).toMatchObject({ changed: false });
    expect(await listInstances(host)).toMatchObject([{ status: 'SHUTOFF', problems: [] }]);
    expect(await startInstance(host, 'web')).toMatchObject({ changed: true, domainState: 'running' });
    expect(countOf(host, 'destroyDomain')).toBe(0);
  });

  it('a guest that does not listen loses its plug, after the time it was given', async () => {
    const { host } = await launchTiny();
    host.hypervisor.obeysAtPress = Infinity;
    const before = performance.now();
    expect(await stopInstance(host, 'web', { timeoutMs: 300 })).toMatchObject({
      ...{ changed: true, graceful: false, domainState: 'shut off' },
    });
    expect(performance.now() - before).toBeGreaterThanOrEqual(300);
    expect(countOf(host, 'shutdownDomain')).toBe(1);
    expect(countOf(host, 'destroyDomain')).toBe(1);
  });

  it('with no time, or paused, the plug is pulled at once', async () => {
    const { host } = await launchTiny();
    await stopInstance(host, 'web', atOnce);
    await startInstance(host, 'web');
    await pauseInstance(host, 'web');
    expect(await stopInstance(host, 'web', { timeoutMs: 60_000 })).toMatchObject({ graceful: false });
    expect(countOf(host, 'shutdownDomain')).toBe(0);
  });

  it('a guest that powers off by itself just then is no error', async () => {
    const { host } = await launchTiny();
    host.hypervisor.failAt('shutdownDomain', { when: 'after' });
    expect(await stopInstance(host, 'web', { timeoutMs: 1000 })).toMatchObject({
      ...{ graceful: true, domainState: 'shut off' },
    });
  });

  it('is ended by its signal, and the guest runs on', async () => {
    const { host, instance } = await launchTiny();
    host.hypervisor.obeysAtPress = Infinity;
    const controller = new AbortController();
    const stopping = stopInstance(
      host,
      'web',
      { timeoutMs: 60_000 },
      {
        signal: controller.signal,
        onEvent: ({ type }) => {
          if (type === 'step-started') controller.abort();
        },
      },
    );
    await expectRefusal(stopping, 'INTERRUPTED');
    expect(await host.hypervisor.findDomain(instance.uuid)).toMatchObject({ state: 'running' });
    expect((await listTree(host.home.locks)).filter((name) => !name.startsWith('image-'))).toEqual([]);
  });

  it('a network that was stopped is started again with the instance', async () => {
    const { host } = await launchTiny();
    await stopInstance(host, 'web', atOnce);
    host.hypervisor.addNetwork('default', { active: false });
    expect(await startInstance(host, 'web')).toMatchObject({ domainState: 'running' });
  });

  it('stop whose plug cannot be pulled says so', async () => {
    const { host } = await launchTiny();
    host.hypervisor.failAt('destroyDomain');
    await expectRefusal(stopInstance(host, 'web', atOnce), 'HYPERVISOR_FAILED');
    expect(await listInstances(host)).toMatchObject([{ status: 'ACTIVE' }]);
  });
});

describe('pause, resume, reboot', () => {
  it('pause and resume, and say when it was so already', async () => {
    const { host } = await launchTiny();
    expect(await resumeInstance(host, 'web')).toMatchObject({ changed: false });
    expect(await pauseInstance(host, 'web')).toMatchObject({ changed: true, domainState: 'paused' });
    expect(await pauseInstance(host, 'web')).toMatchObject({ changed: false });
    expect(await listInstances(host)).toMatchObject([{ status: 'PAUSED' }]);
    const error = await expectRefusal(startInstance(host, 'web'), 'INSTANCE_STATE');
    expect(error.hint).toBe('launch resume itg-00000001');
    expect(await resumeInstance(host, 'web')).toMatchObject({ changed: true, domainState: 'running' });
  });

  it('what is off can be neither paused, resumed nor rebooted, and the hint says how to start it', async () => {
    const { host } = await launchTiny();
    await stopInstance(host, 'web', atOnce);
    for (const attempt of [
      () => pauseInstance(host, 'web'),
      () => resumeInstance(host, 'web'),
      () => rebootInstance(host, 'web', { hard: false }),
      () => rebootInstance(host, 'web', { hard: true }),
    ]) {
      const error = await expectRefusal(attempt(), 'INSTANCE_STATE');
      expect(error.hint).toBe('launch start itg-00000001');
      expect(error.details).toEqual({ domainState: 'shut off' });
    }
  });

  it('a soft reboot asks the guest, a hard one starts it anew', async () => {
    const { host } = await launchTiny();
    expect(await rebootInstance(host, 'web', { hard: false })).toMatchObject({ domainState: 'running' });
    expect([countOf(host, 'rebootDomain'), countOf(host, 'destroyDomain')]).toEqual([1, 0]);
    await pauseInstance(host, 'web');
    expect(await rebootInstance(host, 'web', { hard: true })).toMatchObject({ domainState: 'running' });
    expect([countOf(host, 'rebootDomain'), countOf(host, 'destroyDomain')]).toEqual([1, 1]);
  });

  it('a hard reboot that cannot start again pulls no plug', async () => {
    const { host, instance } = await launchTiny();
    const base = host.home.base(instance.disk.base ?? '').file;
    await chmod(base, 0o644);
    await writeFile(base, 'x', { flag: 'r+' });
    await expectRefusal(rebootInstance(host, 'web', { hard: true }), 'BASE_CHANGED');
    expect(await host.hypervisor.findDomain(instance.uuid)).toMatchObject({ state: 'running' });
  });
});

describe('invariant 9: what libvirt and the record say may differ', () => {
  it('a domain that was undefined behind our back is listed, and defined again as it was', async () => {
    const { host, instance } = await launchTiny();
    const xml = await host.hypervisor.readDomainXml(instance.uuid, { inactive: true });
    host.hypervisor.loseDomain(instance.uuid);
    expect(await listInstances(host)).toMatchObject([
      { status: 'ERROR', domainState: undefined, problems: ['libvirt has no such domain'] },
    ]);
    for (const attempt of [
      () => stopInstance(host, 'web', atOnce),
      () => pauseInstance(host, 'web'),
      () => rebootInstance(host, 'web', { hard: false }),
    ]) {
      const error = await expectRefusal(attempt(), 'DOMAIN_NOT_FOUND');
      expect(error.hint).toContain('launch start itg-00000001');
    }
    expect(await startInstance(host, 'web')).toMatchObject({ changed: true, domainState: 'running' });
    // The machine type above all: a newer QEMU must not show the guest another one.
    expect(await host.hypervisor.readDomainXml(instance.uuid, { inactive: true })).toBe(xml);
    expect(parseDomain(xml).machineType).toBe(instance.machineType);
    expect(await listInstances(host)).toMatchObject([{ status: 'ACTIVE', problems: [] }]);
  });

  it('a domain that was undefined while it runs runs on, and is defined again when it is started', async () => {
    const { host, instance } = await launchTiny();
    await host.hypervisor.undefineDomain(instance.uuid);
    expect(await startInstance(host, 'web')).toMatchObject({ changed: false, domainState: 'running' });
    host.hypervisor.setState(instance.uuid, 'shut off');
    expect(await startInstance(host, 'web')).toMatchObject({ changed: true, domainState: 'running' });
  });

  it('stopping a domain that was undefined while it ran is a stop', async () => {
    const { host, instance } = await launchTiny();
    await host.hypervisor.undefineDomain(instance.uuid);
    expect(await stopInstance(host, 'web', { timeoutMs: 1000 })).toMatchObject({ changed: true });
  });

  it('a domain of another uuid under our name is left alone', async () => {
    const { host, instance } = await launchTiny();
    host.hypervisor.loseDomain(instance.uuid);
    const other = await host.hypervisor.defineDomain(
      `<domain type="qemu"><name>${instance.domainName}</name><os><type>hvm</type></os></domain>`,
    );
    await expectRefusal(startInstance(host, 'web'), 'HYPERVISOR_FAILED');
    expect(await listInstances(host)).toMatchObject([{ status: 'ERROR' }]);
    await deleteInstance(host, 'web');
    expect(await host.hypervisor.listDomains()).toEqual([other]);
  });

  it('the copy of the XML is gone too', async () => {
    const { host, instance } = await launchTiny();
    host.hypervisor.loseDomain(instance.uuid);
    await rm(host.home.instance(instance.domainName).domainXml);
    const error = await expectRefusal(startInstance(host, 'web'), 'DOMAIN_NOT_FOUND');
    expect(error.hint).toBe('launch delete itg-00000001');
  });

  it('a disk or a base that is gone: DISK_MISSING, and nothing is started', async () => {
    const { host, instance } = await launchTiny();
    await stopInstance(host, 'web', atOnce);
    const { disk } = host.home.instance(instance.domainName);
    const base = host.home.base(instance.disk.base ?? '').file;
    for (const [path, problem] of [
      [disk, 'its disk is missing'],
      [base, 'its base is missing'],
    ] as const) {
      await rename(path, `${path}.away`);
      const error = await expectRefusal(startInstance(host, 'web'), 'DISK_MISSING');
      expect(error.details).toEqual({ path });
      expect(await listInstances(host)).toMatchObject([{ status: 'ERROR', problems: [problem] }]);
      await rename(`${path}.away`, path);
    }
    expect(countOf(host, 'startDomain')).toBe(1);
    await startInstance(host, 'web');
  });

  it.each([
    ['missing', undefined],
    ['empty', ''],
    ['cut', '{"number": 1, "domainName"'],
    ['of another shape', '{"number":1}'],
    ['of a newer version', (text: string) => text.replace('{', '{"extra":1,')],
  ] as const)(
    'a record that is %s is listed as an error; all that can be done is to delete it',
    async (_, damage) => {
      const { host, instance } = await launchTiny();
      const { record } = host.home.instance(instance.domainName);
      if (damage === undefined) await rm(record);
      else
        await writeFile(record, typeof damage === 'string' ? damage : damage(await readFile(record, 'utf8')));
      const [view] = await listInstances(host);
      expect(view).toMatchObject({ domainName: instance.domainName, status: 'ERROR', record: undefined });
      expect(view?.problems[0]).toMatch(/its record is missing|the record ".*" is (not JSON|damaged)/);
      const error = await expectRefusal(startInstance(host, instance.domainName), 'RECORD_INVALID');
      expect(error.hint).toContain('launch delete itg-00000001');
      await deleteInstance(host, instance.domainName);
      expect(await listInstances(host)).toEqual([]);
      expect(await host.hypervisor.listDomains()).toEqual([]);
      expect((await listTree(host.home.instances)).filter((path) => path.startsWith('itg'))).toEqual([]);
    },
  );

  it.each([
    ['crashed', 'ERROR'],
    ['pmsuspended', 'SUSPENDED'],
    ['in shutdown', 'ACTIVE'],
  ] as const)(
    'a guest that is %s is listed as %s, and can be stopped, started and deleted',
    async (state, status) => {
      const { host, instance } = await launchTiny();
      host.hypervisor.setState(instance.uuid, state);
      expect(await listInstances(host)).toMatchObject([{ status, domainState: state }]);
      await stopInstance(host, 'web', atOnce);
      expect(await startInstance(host, 'web')).toMatchObject({ domainState: 'running' });
      host.hypervisor.setState(instance.uuid, state);
      expect(await deleteInstance(host, 'web')).toMatchObject({ deleted: true });
      expect(await host.hypervisor.listDomains()).toEqual([]);
    },
  );
});

describe('two verbs at once', () => {
  it('wait for each other, and say for whom', async () => {
    const { host } = await launchTiny();
    host.hypervisor.obeysAtPress = Infinity;
    const notices: string[] = [];
    const stopping = stopInstance(host, 'web', { timeoutMs: 300 });
    const starting = startInstance(host, 'web', {
      onEvent: (event) => {
        if (event.type === 'notice') notices.push(event.message);
      },
    });
    const [stopped, started] = await Promise.all([stopping, starting]);
    // Whoever was first: both did what they said, one after the other.
    expect(stopped).toMatchObject({ changed: true, domainState: 'shut off' });
    if (started.changed) {
      expect(notices[0]).toMatch(/^waiting for (process \d+, which is stopping it|another command)$/);
    }
    expect((await listInstances(host))[0]?.status).toBe(started.changed ? 'ACTIVE' : 'SHUTOFF');
  });

  it('many of them: the locks let nobody in twice, and none is left', async () => {
    const { host } = await launchTiny();
    await Promise.all(
      Array.from({ length: 6 }, async (_, index) =>
        index % 2 === 0 ? await stopInstance(host, 'web', atOnce) : await startInstance(host, 'web'),
      ),
    );
    expect((await listTree(host.home.locks)).filter((name) => !name.startsWith('image-'))).toEqual([]);
  });
});
