import { LaunchError } from '../host/launch-error.js';
import type { WaitFor } from '../instance/plan-launch.js';

const kinds = ['none', 'running', 'address', 'ssh', 'cloud-init'] as const;

/** @throws LaunchError ARGUMENT_INVALID */
export function parseWait(text: string): WaitFor {
  const kind = kinds.find((known) => known === text);
  if (kind !== undefined) return { kind };
  if (text.startsWith('console=')) {
    const source = text.slice('console='.length);
    try {
      if (source !== '') return { kind: 'console', pattern: new RegExp(source, 'm') };
    } catch (cause) {
      throw new LaunchError('ARGUMENT_INVALID', `"${source}" is not a regular expression`, { cause });
    }
  }
  throw new LaunchError('ARGUMENT_INVALID', `cannot wait for ${JSON.stringify(text)}`, {
    hint: "it can be none, running, address, ssh, cloud-init, or console=REGEX, for example:  'console=login:'",
  });
}
