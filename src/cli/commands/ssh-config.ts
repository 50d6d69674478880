import { LaunchError } from '../../host/launch-error.js';
import type { Context } from '../context.js';
import { defineCommand } from '../define-command.js';
import { confirm } from '../terminal/confirm.js';

export const sshConfigCommand = defineCommand(
  {
    command: 'ssh-config [instances..]',
    describe: 'Let plain ssh, scp, rsync and editors find guests by their names',
    positionals: {
      instances: { type: 'string', array: true, describe: 'all by default' },
    },
    options: {
      install: {
        type: 'boolean',
        default: false,
        describe: 'write the file for all instances, and have ~/.ssh/config include it',
      },
      yes: { type: 'boolean', alias: 'y', default: false, describe: 'do not ask about ~/.ssh/config' },
    },
    examples: [
      ['ssh-config --install', 'then:  ssh web    scp a web:    rsync -a src/ web:src/'],
      ['ssh-config web >>~/.ssh/config', 'one of them, by hand'],
    ],
  },
  async (context, args) => {
    const references = args.instances ?? [];
    if (!args.install) {
      const { proxyCommand, renderSshConfig } = await import('../../instance/login/ssh-config-file.js');
      const { host, program = ['launch'] } = context;
      const text = await renderSshConfig(host, {
        references,
        connect: (uuid) => proxyCommand(host, program, uuid),
      });
      context.emit({ text }, () => text);
      if (text === '') context.say('there are no instances yet:  launch IMAGE');
      return;
    }
    if (references.length > 0) {
      throw new LaunchError('ARGUMENT_INVALID', '--install writes the file for all instances', {
        hint: 'launch ssh-config --install    or one, printed:  launch ssh-config NAME',
      });
    }
    await install(context, args.yes);
  },
);

async function install(context: Context, yes: boolean): Promise<void> {
  const { installSshConfig } = await import('../../instance/login/ssh-config-file.js');
  const { findUserSshConfig, includeLine, includeSshConfig } =
    await import('../../instance/login/include-ssh-config.js');
  const { host, program = ['launch'] } = context;
  const { config } = await installSshConfig(host, program);
  const line = includeLine(config);
  const user = host.user === undefined ? undefined : await findUserSshConfig(host.user.sshDirectory, config);
  let included = user?.included ?? false;
  if (user !== undefined && !included) {
    context.endProgress();
    const question = `put "${line}" at the top of ${user.path}?`;
    if (yes || (await confirm(question, context.terminal, { signal: context.signal }))) {
      await includeSshConfig(user.path, config);
      included = true;
    }
  }
  context.emit({ path: config, include: line, included }, () => `${config}\n`);
  if (!included) context.say(`at the top of ~/.ssh/config:  ${line}    or once:  ssh -F ${config} NAME`);
}
