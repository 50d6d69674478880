import { describe, expect, it } from 'vitest';

import { homePaths, instancePaths } from '../../../src/host/paths.js';

describe('homePaths', () => {
  it('names every file as the design does', () => {
    const home = homePaths('/var/lib/launch');
    expect(home.image('1e62').record).toBe('/var/lib/launch/images/1e62/image.json');
    expect(home.image('1e62').file('qcow2')).toBe('/var/lib/launch/images/1e62/image.qcow2');
    expect(home.base('06a0_20').file).toBe('/var/lib/launch/instances/_base/06a0_20');
    expect(home.base('06a0_20').record).toBe('/var/lib/launch/instances/_base/06a0_20.json');
    expect(home.instance('instance-0000000c').disk).toBe('/var/lib/launch/instances/instance-0000000c/disk');
    expect(home.flavorsFile).toBe('/var/lib/launch/flavors.json');
    expect(home.counterFile).toBe('/var/lib/launch/instances/counter.json');
    expect(home.lock('counter')).toBe('/var/lib/launch/locks/counter.lock');
  });

  it('names the files of an instance whose directory still has its temporary name', () => {
    expect(instancePaths('/i/.instance-0000000c.1-aa.tmp').record).toBe(
      '/i/.instance-0000000c.1-aa.tmp/instance.json',
    );
  });
});
