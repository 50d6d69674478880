import { describe, expect, it } from 'vitest';

import { renderRecord } from '../../../src/host/record.js';
import { findInstance, getInstance } from '../../../src/instance/find-instance.js';
import { launchErrorOf } from '../host/launch-error-of.js';
import { newHost, sampleInstance, storeInstance } from './sample-host.js';

const web = sampleInstance(1, { displayName: 'web' });
const db = sampleInstance(0xabcd0001, { number: 2, displayName: 'db' });
const db2 = sampleInstance(0xabcd0002, { number: 3, displayName: 'db' });

describe('getInstance', () => {
  it.each([
    ['domain name', 'instance-00000001'],
    ['display name', 'web'],
    ['uuid', web.uuid],
    ['uuid in capitals', web.uuid.toUpperCase()],
    ['start of the uuid', '0000'],
  ])('finds by %s', async (_what, reference) => {
    expect(await getInstance(await newHost([web, db]), reference)).toEqual(web);
  });

  it('lists domains and uuids when many have the name', async () => {
    const error = await launchErrorOf(getInstance(await newHost([db2, db, web]), 'db'));
    expect([error.code, error.message]).toEqual(['INSTANCE_AMBIGUOUS', 'there are 2 instances called "db"']);
    expect(error.hint).toBe(
      [
        'name one by its domain or its uuid:',
        `  ${db.domainName}  ${db.uuid}`,
        `  ${db2.domainName}  ${db2.uuid}`,
      ].join('\n'),
    );
    expect(error.details).toEqual({ domainNames: [db.domainName, db2.domainName] });
  });

  it('lists them when many start so', async () => {
    const error = await launchErrorOf(getInstance(await newHost([db, db2]), 'abcd'));
    expect(error.code).toBe('INSTANCE_AMBIGUOUS');
  });

  it('prefers a domain name to a display name, and that to the start of a uuid', async () => {
    const hostile = sampleInstance(7, { displayName: 'instance-00000001' });
    expect(await getInstance(await newHost([hostile, web]), 'instance-00000001')).toEqual(web);
    const named = sampleInstance(8, { displayName: 'abcd' });
    expect(await getInstance(await newHost([db, named]), 'abcd')).toEqual(named);
  });

  it.each(['abc', '', '..', 'instance-', 'WEB'])('does not guess from %j', async (reference) => {
    const error = await launchErrorOf(getInstance(await newHost([web, db]), reference));
    expect([error.code, error.message]).toEqual([
      'INSTANCE_NOT_FOUND',
      `there is no instance ${JSON.stringify(reference)}`,
    ]);
    expect(error.hint).toBe('there are: web, db   (launch list)');
  });

  it('says how to begin when there are none', async () => {
    const error = await launchErrorOf(getInstance(await newHost(), 'web'));
    expect(error.hint).toBe('there are none yet:  launch IMAGE');
  });
});

describe('invariant 9: an instance whose record is damaged', () => {
  it('is found by its domain’s name, so that it can be deleted', async () => {
    const host = await newHost([web]);
    await storeInstance(host, 'instance-00000009', '{');
    const found = await findInstance(host, 'instance-00000009');
    expect(found?.kind).toBe('damaged');
    const error = await launchErrorOf(getInstance(host, 'instance-00000009'));
    expect(error.code).toBe('RECORD_INVALID');
    expect(error.hint).toContain('launch delete instance-00000009');
  });

  it('is among those that there are, under the only name that it has left', async () => {
    const host = await newHost();
    await storeInstance(host, 'instance-00000009', '{');
    const error = await launchErrorOf(getInstance(host, 'web'));
    expect(error.code).toBe('INSTANCE_NOT_FOUND');
    expect(error.hint).toBe('there are: instance-00000009 (damaged)   (launch list)');
  });

  it('is one without a record, too', async () => {
    const host = await newHost();
    await storeInstance(host, 'instance-00000009', renderRecord({ ...web, extra: 1 }));
    expect((await findInstance(host, 'instance-00000009'))?.kind).toBe('damaged');
    expect(await findInstance(host, 'web')).toBeUndefined();
  });

  // A directory that was copied by hand: both would be `instance-00000001`, and neither can be deleted.
  it('is one whose record is of another directory', async () => {
    const host = await newHost([web]);
    await storeInstance(host, 'instance-00000009', renderRecord(web));
    expect(await findInstance(host, 'instance-00000001')).toEqual({ kind: 'record', record: web });
    expect((await findInstance(host, 'instance-00000009'))?.kind).toBe('damaged');
  });
});
