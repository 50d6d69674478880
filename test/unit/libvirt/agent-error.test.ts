import { describe, expect, it } from 'vitest';

import { agentError } from '../../../src/libvirt/agent-error.js';
import { hypervisorError } from '../../../src/libvirt/libvirt-error.js';

const said = (words: string) =>
  agentError(
    'ask the guest agent for guest-exec',
    hypervisorError('ask', 'qemu:///system', new Error(words)),
  );

// libvirt's words, as 9.0 has them.
describe('agentError', () => {
  it.each([
    [
      'argument unsupported: QEMU guest agent is not configured',
      'the domain has no channel for a guest agent',
    ],
    ['Guest agent is not responding: QEMU guest agent is not connected', 'no guest agent runs in the guest'],
    ['Guest agent is not responding: Guest agent not available for now', 'the guest agent does not answer'],
    [
      "internal error: unable to execute QEMU agent command 'guest-exec': Command guest-exec has been disabled for this instance",
      "the guest's agent does not allow it",
    ],
    [
      "internal error: unable to execute QEMU agent command 'guest-exec': The command guest-exec has not been found",
      "the guest's agent does not allow it",
    ],
  ])('%j is nobody to ask', (words, reason) => {
    expect(said(words)).toMatchObject({ code: 'AGENT_UNAVAILABLE', details: { reason } });
  });

  it('gives the agent’s own words when it refuses', () => {
    const words = 'Failed to execute child process “nope” (No such file or directory)';
    expect(said(`internal error: unable to execute QEMU agent command 'guest-exec': ${words}`)).toMatchObject(
      {
        code: 'COMMAND_FAILED',
        details: { words },
      },
    );
  });

  it('leaves what is no matter of the agent’s', () => {
    expect(said('Requested operation is not valid: domain is not running').code).toBe('HYPERVISOR_FAILED');
  });

  it('distrusts an answer that is no JSON', () => {
    expect(agentError('ask', new SyntaxError('Unexpected token')).code).toBe('AGENT_UNAVAILABLE');
  });
});
