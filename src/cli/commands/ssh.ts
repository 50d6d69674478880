import { LaunchError } from '../../host/launch-error.js';
import type { InstanceRecord } from '../../instance/instance-record.js';
import type { Context } from '../context.js';
import { defineCommand } from '../define-command.js';
import { loginOptions, loginRequest, waitMs, waitOption } from '../login-options.js';
import { parseForward } from '../parse-forward.js';
import { instancePositional } from '../positionals.js';

export const sshCommand = defineCommand(
  {
    command: 'ssh <instance>',
    describe: 'Log in to a guest, or run a command there:  launch ssh NAME [-- COMMAND]',
    positionals: instancePositional,
    options: {
      ...loginOptions,
      tty: { type: 'boolean', alias: 't', describe: 'a terminal for the command, or --no-tty for none' },
      forward: {
        type: 'string',
        array: true,
        nargs: 1,
        describe: '[ADDRESS:]PORT:[HOST:]PORT, as ssh -L; may be repeated',
      },
      shell: { type: 'boolean', default: true, describe: '--no-shell: only forward ports' },
      'ssh-option': {
        type: 'string',
        array: true,
        nargs: 1,
        describe: 'NAME=VALUE for ssh -o (ForwardAgent=yes); may be repeated',
      },
      'new-host-key': {
        type: 'boolean',
        default: false,
        describe: "forget the guest's host keys and take what it shows now",
      },
      ...waitOption,
      stdio: { type: 'boolean', default: false, describe: "connect the guest's sshd to stdin and stdout" },
    },
    examples: [
      ['ssh web', 'a shell, as the user that the image is made for'],
      ["ssh web -- ls '/srv/a b'", 'several words reach the guest as they are'],
      ["ssh web -- 'cd /srv && ls | wc -l'", "one word is for the guest's shell"],
      ['ssh web --forward 8080:80 --no-shell', 'http://127.0.0.1:8080 is the guest’s port 80'],
    ],
  },
  async (context, args) => {
    const { getInstance } = await import('../../instance/find-instance.js');
    const { host, work } = context;
    const forwards = (args.forward ?? []).map(parseForward);
    const timeoutMs = waitMs(args);
    // As ssh: 255 is no exit code of the guest's command, most likely.
    context.endWith?.(255);
    const instance = await getInstance(host, args.instance);
    if (args.stdio) {
      await connectStdio(context, instance, timeoutMs);
      return;
    }
    const { openGuestLogin } = await import('../../instance/login/guest-login.js');
    const { runSshSession } = await import('../../instance/login/ssh-session.js');
    const { remoteCommandLine } = await import('../../guest/ssh/shell-words.js');
    if (args['new-host-key']) await forgetHostKeys(context, instance);
    const login = await openGuestLogin(host, instance, {
      action: 'log in to',
      ...loginRequest(args),
      timeoutMs,
      work,
    });
    const { guestCommand = [] } = context;
    const remote = guestCommand.length === 0 ? undefined : remoteCommandLine(guestCommand);
    const extra = [
      ...(args['ssh-option'] ?? []).flatMap((option) => ['-o', option]),
      ...forwards.flatMap((forward) => ['-L', forward]),
      ...(forwards.length === 0 ? [] : ['-o', 'ExitOnForwardFailure=yes']),
      ...(args.tty === undefined ? [] : [args.tty ? '-t' : '-T']),
      ...(args.shell ? [] : ['-N']),
    ];
    for (const forward of forwards) context.say(`forwarding ${forward}`);
    context.endProgress();
    context.endWith?.(await runSshSession(host, login, { remote, extra, work }));
  },
);

async function forgetHostKeys({ host }: Context, instance: InstanceRecord): Promise<void> {
  const { removeTree } = await import('../../host/files.js');
  await removeTree(host.home.instance(instance.domainName).knownHosts);
}

/** For ssh's ProxyCommand: bytes to and from the guest's sshd, at whatever address it has now. */
async function connectStdio(context: Context, instance: InstanceRecord, timeoutMs: number): Promise<void> {
  const { reachGuest } = await import('../../instance/login/reach-guest.js');
  const { relay } = await import('../../host/relay.js');
  const { host, work, signal } = context;
  if (context.openStdin().isTTY === true) {
    throw new LaunchError('ARGUMENT_INVALID', '--stdio is for ssh, not for a person', {
      hint: `launch ssh ${instance.domainName}`,
    });
  }
  const endpoint = await reachGuest(host, instance, { action: 'log in to', timeoutMs, work });
  context.endProgress();
  await relay({
    ...endpoint,
    input: context.openStdin(),
    write: (content) => context.write(content),
    signal,
  });
  context.endWith?.(0);
}
