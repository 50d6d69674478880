import { LaunchError } from '../host/launch-error.js';

/** What a question to a guest agent ended with; libvirt's words tell whether anybody was there. */
export function agentError(action: string, error: unknown): LaunchError {
  if (error instanceof SyntaxError) {
    return new LaunchError('AGENT_UNAVAILABLE', `cannot ${action}: the answer makes no sense`, {
      cause: error,
    });
  }
  if (!(error instanceof LaunchError)) throw error;
  if (error.code !== 'HYPERVISOR_FAILED') return error;
  const [, refusal] = /unable to execute QEMU agent command '[^']*': (.*)$/s.exec(error.message) ?? [];
  if (refusal !== undefined && !/has been disabled|has not been found/i.test(refusal)) {
    return new LaunchError('COMMAND_FAILED', `cannot ${action}: the guest agent says: ${refusal}`, {
      details: { words: refusal },
    });
  }
  const reason = reasonOf(refusal ?? error.message);
  if (reason === undefined) return error;
  return new LaunchError('AGENT_UNAVAILABLE', `cannot ${action}: ${reason}`, {
    cause: error.cause,
    details: { reason },
  });
}

function reasonOf(words: string): string | undefined {
  if (/has been disabled|has not been found/i.test(words)) return "the guest's agent does not allow it";
  if (/no complete agent response/i.test(words)) return 'the answer is larger than libvirt takes (10 MiB)';
  if (/guest agent is not configured/i.test(words)) return 'the domain has no channel for a guest agent';
  if (/guest agent is not connected/i.test(words)) return 'no guest agent runs in the guest';
  if (/guest agent|agent is not responding|agent not available/i.test(words)) {
    return 'the guest agent does not answer';
  }
  return undefined;
}
