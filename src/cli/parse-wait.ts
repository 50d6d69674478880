import { LaunchError } from '../host/launch-error.js';
import type { WaitFor } from '../instance/plan-launch.js';

/** @throws LaunchError ARGUMENT_INVALID */
export function parseWait(text: string): WaitFor {
  if (text === 'none' || text === 'running') return { kind: text };
  if (text.startsWith('console=')) {
    const source = text.slice('console='.length);
    try {
      if (source !== '') return { kind: 'console', pattern: new RegExp(source, 'm') };
    } catch (cause) {
      throw new LaunchError('ARGUMENT_INVALID', `"${source}" is not a regular expression`, { cause });
    }
  }
  throw new LaunchError('ARGUMENT_INVALID', `cannot wait for ${JSON.stringify(text)}`, {
    hint: "--wait takes none, running, or console=REGEX, for example:  --wait 'console=login:'",
  });
}
