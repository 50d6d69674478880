import { LaunchError } from '../../host/launch-error.js';
import { defineCommand } from '../define-command.js';
import { loginOptions, loginRequest, waitMs, waitOption } from '../login-options.js';
import { instancePositional } from '../positionals.js';
import { parseDuration } from '../terminal/units.js';

export const execCommand = defineCommand(
  {
    command: 'exec <instance>',
    describe: 'Run a program in a guest:  launch exec NAME -- PROGRAM ARGUMENTS',
    positionals: instancePositional,
    options: {
      via: {
        choices: ['agent', 'ssh'] as const,
        describe: 'by default the guest agent where one answers, else ssh',
      },
      stdin: {
        type: 'boolean',
        default: false,
        describe: 'give standard input to the program (through ssh)',
      },
      timeout: { type: 'string', requiresArg: true, describe: 'end it after so long: 30s, 10m' },
      ...loginOptions,
      ...waitOption,
    },
    examples: [
      ['exec web -- uname -r', 'its output and exit code are those of the program'],
      ["exec web -- sh -c 'cd /srv && ls'", 'no shell reads the words but the one you name'],
      ['exec --stdin web -- tee /etc/motd <motd', 'with standard input'],
      ['exec --format json web -- id', 'output and exit code as one object'],
    ],
  },
  async (context, args) => {
    const [program, ...words] = context.guestCommand ?? [];
    if (program === undefined || program === '') {
      throw new LaunchError('ARGUMENT_INVALID', 'which program?', {
        hint: `launch exec ${args.instance} -- PROGRAM ARGUMENTS    a shell:  launch ssh ${args.instance}`,
      });
    }
    if (args.stdin && args.via === 'agent') {
      throw new LaunchError('ARGUMENT_INVALID', 'the guest agent takes no standard input', {
        hint: 'leave --via out, or say --via ssh',
      });
    }
    const json = context.options.format === 'json';
    if (json && args.stdin) {
      throw new LaunchError('ARGUMENT_INVALID', '--stdin and --format json do not go together');
    }
    const { execInGuest } = await import('../../instance/login/exec-in-guest.js');
    const timeoutMs = args.timeout === undefined ? undefined : parseDuration(args.timeout);
    const wait = waitMs(args);
    context.endWith?.(255);
    const outcome = await execInGuest(
      context.host,
      args.instance,
      {
        command: [program, ...words],
        via: args.via,
        ...loginRequest(args),
        timeoutMs,
        waitMs: wait,
        attach: json ? undefined : { stdin: args.stdin },
      },
      context.work,
    );
    const { via, exitCode, output } = outcome;
    context.endWith?.(exitCode);
    if (output?.truncated === true) {
      context.say('the guest agent keeps 16 MiB of output, the rest is lost; all of it:  --via ssh');
    }
    if (json) {
      const { stdout = Buffer.alloc(0), stderr = Buffer.alloc(0) } = output ?? {};
      context.emit({ via, exitCode, stdout: stdout.toString(), stderr: stderr.toString() }, () => '');
      return;
    }
    if (output === undefined) return;
    context.endProgress();
    if (output.stderr.length > 0) context.terminal.err(output.stderr.toString());
    await context.write(only(output.stdout));
  },
);

async function* only(bytes: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
  if (bytes.length > 0) yield bytes;
}
