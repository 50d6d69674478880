import { LaunchError } from '../host/launch-error.js';
import type { SeedRequest, SeededFile } from '../instance/seed/plan-seed.js';

/** `--file LOCAL:REMOTE[:MODE]`; REMOTE begins with a slash, so LOCAL may have colons. */
export function parseSeededFile(text: string): SeededFile {
  const found = /^(.+?):(\/[^:]*)(?::([0-7]{3,4}))?$/.exec(text);
  const [, local, remote, mode] = found ?? [];
  if (local === undefined || remote === undefined) {
    throw new LaunchError('ARGUMENT_INVALID', `cannot understand --file ${JSON.stringify(text)}`, {
      hint: 'it takes LOCAL:REMOTE or LOCAL:REMOTE:MODE, for example:  --file ./motd:/etc/motd:0644',
    });
  }
  return { local, remote, mode: mode === undefined ? undefined : parseInt(mode, 8) };
}

export const seedOptions = {
  seed: {
    choices: ['nocloud', 'config-drive', 'none'] as const,
    default: 'nocloud' as const,
    describe: 'how the guest is told who it is (docs/seed.md)',
  },
  key: {
    type: 'string',
    array: true,
    requiresArg: true,
    describe: 'file of ssh keys that may log in, or agent; by default your own',
  },
  'user-data': {
    type: 'string',
    array: true,
    requiresArg: true,
    describe: 'file for cloud-init: cloud-config, script, multipart, …',
  },
  user: { type: 'string', describe: 'make this user, with sudo and the keys', requiresArg: true },
  hostname: { type: 'string', describe: 'host name, by default made of the name', requiresArg: true },
  run: {
    type: 'string',
    array: true,
    requiresArg: true,
    describe: 'command to run as root after the first boot',
  },
  file: {
    type: 'string',
    array: true,
    requiresArg: true,
    describe: 'LOCAL:REMOTE[:MODE], a file for the guest',
  },
  'network-config': {
    type: 'string',
    describe: 'file in cloud-init’s network configuration, version 1 or 2',
    requiresArg: true,
  },
} as const;

/** @throws LaunchError ARGUMENT_INVALID */
export function parseSeed(args: {
  readonly seed: 'nocloud' | 'config-drive' | 'none';
  readonly key: readonly string[] | undefined;
  readonly 'user-data': readonly string[] | undefined;
  readonly user: string | undefined;
  readonly hostname: string | undefined;
  readonly run: readonly string[] | undefined;
  readonly file: readonly string[] | undefined;
  readonly 'network-config': string | undefined;
}): SeedRequest {
  return {
    kind: args.seed,
    keys: args.key,
    userData: args['user-data'],
    user: args.user,
    hostname: args.hostname,
    run: args.run,
    files: args.file?.map(parseSeededFile),
    networkConfig: args['network-config'],
  };
}
