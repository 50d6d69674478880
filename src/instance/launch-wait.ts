import { waitForConsole } from '../guest/console-log.js';
import { LaunchError } from '../host/launch-error.js';
import { runStep, type Work } from '../host/work.js';
import { isActive } from './forget-domain.js';
import type { InstanceRecord } from './instance-record.js';
import type { Host } from './open-host.js';

const defaultTimeoutMs = 5 * 60_000;

/** Waits for a line on the console of an instance that was just launched. */
export async function waitForLine(
  host: Host,
  instance: InstanceRecord,
  pattern: RegExp,
  timeoutMs: number | undefined,
  work: Work,
): Promise<string> {
  const { consoleLog } = host.home.instance(instance.domainName);
  try {
    return await runStep(
      work,
      'console',
      `waiting for /${pattern.source}/`,
      (progress) =>
        waitForConsole(consoleLog, pattern, {
          fromByte: 0,
          timeoutMs: timeoutMs ?? defaultTimeoutMs,
          isAlive: async () => {
            const domain = await host.hypervisor.findDomain(instance.uuid);
            return domain !== undefined && isActive(domain.state);
          },
          work,
          onLine: progress,
        }),
      (line) => line,
    );
  } catch (error) {
    throw leftRunning(error, instance);
  }
}

function leftRunning(error: unknown, instance: InstanceRecord): unknown {
  if (!(error instanceof LaunchError) || error.code === 'INTERRUPTED') return error;
  const what = error.code === 'WAIT_TIMEOUT' ? 'it is left running' : 'it is left as it is';
  return new LaunchError(error.code, `${instance.domainName} was launched, but ${error.message}`, {
    hint: [
      ...(error.hint === undefined ? [] : [error.hint]),
      `${what}:  launch console ${instance.domainName}    remove it:  launch delete ${instance.domainName}`,
    ].join('\n'),
    cause: error.cause,
    details: { ...error.details, domainName: instance.domainName, uuid: instance.uuid },
  });
}
