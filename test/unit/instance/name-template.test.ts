import { describe, expect, it } from 'vitest';

import { parseNameTemplate } from '../../../src/instance/name-template.js';
import { launchErrorOf } from '../host/launch-error-of.js';

describe('a name template', () => {
  const template = parseNameTemplate('instance-%08x');

  it.each([
    [1, 'instance-00000001'],
    [12, 'instance-0000000c'],
    [255, 'instance-000000ff'],
    [2 ** 31 - 1, 'instance-7fffffff'],
  ])('renders %d as Nova does, and reads it back', (number, name) => {
    expect(template.render(number)).toBe(name);
    expect(template.parse(name)).toBe(number);
  });

  it.each([
    'instance-',
    'instance-1',
    'instance-0000000C',
    'instance-0000000c0',
    'instance-0000000g',
    ' instance-0000000c',
    'instance-0000000c\n',
    'other-0000000c',
    'instance-0x00000c',
    'instance--000000c',
  ])('finds no number in %j', (name) => {
    expect(template.parse(name)).toBeUndefined();
  });

  it('may have another prefix', () => {
    const own = parseNameTemplate('Web_1.x-%08x');
    expect(own.render(10)).toBe('Web_1.x-0000000a');
    expect(own.parse('Web_1.x-0000000a')).toBe(10);
    expect(own.parse('WebX1.x-0000000a')).toBeUndefined();
  });

  it.each([
    '',
    'instance',
    'instance-%d',
    'instance%08x',
    '%08x',
    '-%08x',
    '../instance-%08x',
    'a/b-%08x',
    '.hidden-%08x',
    '_base-%08x',
    'two words-%08x',
    'instance-%08x\n',
    'instance-%08x-%08x',
    `${'a'.repeat(60)}-%08x`,
  ])('invariant 7: is refused when it is %j', async (text) => {
    const error = await launchErrorOf(() => parseNameTemplate(text));
    expect(error.code).toBe('ARGUMENT_INVALID');
    expect(error.message).toContain(JSON.stringify(text));
    expect(error.hint).toContain('LAUNCH_INSTANCE_NAME_TEMPLATE');
  });

  // The prefix may have capitals, the number is always in small letters.
  it('is refused when it asks for capitals that it would not give', async () => {
    expect((await launchErrorOf(() => parseNameTemplate('instance-%08X'))).code).toBe('ARGUMENT_INVALID');
  });
});
