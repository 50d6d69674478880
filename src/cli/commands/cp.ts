import { LaunchError } from '../../host/launch-error.js';
import { defineCommand } from '../define-command.js';
import { loginOptions, loginRequest, waitMs, waitOption } from '../login-options.js';
import { parseCopyPlace } from '../parse-copy-place.js';

export const cpCommand = defineCommand(
  {
    command: 'cp <paths..>',
    describe: 'Copy files to, from and between guests; NAME:PATH is a path in a guest',
    positionals: {
      paths: {
        type: 'string',
        array: true,
        describe: 'what to copy, and last where to: a path here, or NAME:PATH',
      },
    },
    options: {
      recursive: { type: 'boolean', alias: 'r', default: false, describe: 'directories, with all in them' },
      ...loginOptions,
      ...waitOption,
    },
    examples: [
      ['cp motd web:/etc/', 'into a directory of the guest'],
      ['cp -r web:/var/log ./', 'a directory, from the guest'],
      ['cp web:a.txt db:', "from one guest's home directory to another's"],
      ['cp ./odd:name web:', 'a colon behind a slash is part of the name'],
    ],
  },
  async (context, args) => {
    const places = (args.paths ?? []).map(parseCopyPlace);
    const target = places.at(-1);
    const sources = places.slice(0, -1);
    if (target === undefined || sources.length === 0) {
      throw new LaunchError('ARGUMENT_INVALID', 'where to?', { hint: 'launch cp FROM… TO' });
    }
    const timeoutMs = waitMs(args);
    const { copyFiles } = await import('../../instance/login/copy-files.js');
    const copied = [];
    for (const source of sources) {
      // Several can only go into a directory.
      const into = sources.length === 1 ? target : { ...target, path: asDirectory(target.path) };
      const result = await copyFiles(
        context.host,
        { source, target: into, recursive: args.recursive, ...loginRequest(args), timeoutMs },
        context.work,
      );
      for (const name of result.leftOut) context.say(`left out ${name}`);
      copied.push({ source, target: into, ...result });
    }
    context.emit(copied, () => '');
  },
);

/** Nothing is the home directory, which is one. */
function asDirectory(path: string): string {
  return path === '' ? path : `${path.replace(/\/+$/, '')}/`;
}
