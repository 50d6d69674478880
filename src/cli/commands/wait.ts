import { LaunchError } from '../../host/launch-error.js';
import type { ReadyGuest } from '../../instance/readiness/ready-guest.js';
import { defineCommand } from '../define-command.js';
import { parseWait } from '../parse-wait.js';
import { instancesPositional } from '../positionals.js';
import { escapeControls } from '../terminal/escape.js';
import { parseDuration } from '../terminal/units.js';

export const waitCommand = defineCommand(
  {
    command: 'wait <instances..>',
    describe: 'Wait until guests that run are ready; say why when they do not get there',
    positionals: instancesPositional,
    options: {
      for: {
        type: 'string',
        default: 'ssh',
        requiresArg: true,
        describe: 'address, ssh, cloud-init, or console=REGEX',
      },
      timeout: { type: 'string', default: '5m', describe: 'how long to wait: 90s, 5m' },
    },
    examples: [
      ['wait web', 'until somebody can log in'],
      ['wait web db --for cloud-init --timeout 10m', 'until both have done what their user-data says'],
      ["wait web --for 'console=login:'", 'until its console says so'],
    ],
  },
  async (context, args) => {
    const { waitForInstances } = await import('../../instance/readiness/wait-instances.js');
    const references = args.instances ?? [];
    if (references.length === 0)
      throw new LaunchError('ARGUMENT_INVALID', 'which instance?', { hint: 'launch list' });
    const waited = await waitForInstances(context.host, references, parseWait(args.for), {
      timeoutMs: parseDuration(args.timeout),
      work: context.work,
    });
    const ready = waited.flatMap((one) => ('ready' in one ? [one] : []));
    context.emit(
      ready.map((one) => ({ domainName: one.instance.domainName, uuid: one.instance.uuid, ...one.ready })),
      () => ready.map((one) => `${one.instance.domainName}  ${whereIs(one.ready)}\n`).join(''),
    );
    const failed = waited.flatMap((one) => ('error' in one ? [one] : []));
    const [first, ...others] = failed;
    if (first === undefined) return;
    if (others.length === 0) throw first.error;
    throw alsoFailed(first.error, others);
  },
);

function whereIs({ sshEndpoint, loginUser, addresses, consoleLine }: ReadyGuest): string {
  if (consoleLine !== undefined) return escapeControls(consoleLine);
  const user = loginUser === undefined ? '' : `${loginUser}@`;
  const port = sshEndpoint === undefined || sshEndpoint.port === 22 ? '' : ` port ${sshEndpoint.port}`;
  const address = sshEndpoint?.address ?? addresses[0]?.address;
  return address === undefined ? 'ready' : `${user}${address}${port}`;
}

function alsoFailed(error: LaunchError, others: readonly { readonly error: LaunchError }[]): LaunchError {
  const hint = [
    ...(error.hint === undefined ? [] : [error.hint]),
    `${others.length} more did not get there:`,
    ...others.map((one) => `  ${one.error.message}`),
  ];
  return new LaunchError(error.code, error.message, {
    hint: hint.join('\n'),
    cause: error,
    details: {
      ...error.details,
      others: others.map((one) => ({ message: one.error.message, ...one.error.details })),
    },
  });
}
