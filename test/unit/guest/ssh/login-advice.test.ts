import { describe, expect, it } from 'vitest';

import { parseLoginAdvice } from '../../../../src/guest/ssh/login-advice.js';

describe('parseLoginAdvice', () => {
  it('takes the name from the words of cloud-init', () => {
    const words = 'Please login as the user "debian" rather than the user "root".\n\n';
    expect(parseLoginAdvice(`Welcome\n${words}`)).toBe('debian');
  });

  it.each([
    '',
    'Please login as the user "NONE" rather than the user "root".',
    'Please login as the user "-oProxyCommand=id" rather than the user "root".',
    'Please login as the user "a b" rather than the user "root".',
  ])('takes nothing from %j', (text) => {
    expect(parseLoginAdvice(text)).toBeUndefined();
  });
});
