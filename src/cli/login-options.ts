import { resolve } from 'node:path';
import { parseDuration } from './terminal/units.js';

/** How to log in, for every command that does. */
export const loginOptions = {
  user: {
    type: 'string',
    alias: 'l',
    requiresArg: true,
    describe: "user in the guest, by default the image's",
  },
  identity: {
    type: 'string',
    alias: 'i',
    requiresArg: true,
    describe: 'file of a private key, by default the one it was launched with',
  },
} as const;

export const waitOption = {
  'connect-timeout': {
    type: 'string',
    default: '2m',
    requiresArg: true,
    describe: 'how long a guest that is booting may take: 30s, 5m',
  },
} as const;

/** The same as a verb takes it. */
export function loginRequest(args: {
  readonly user: string | undefined;
  readonly identity: string | undefined;
}): { readonly user: string | undefined; readonly identityFile: string | undefined } {
  return {
    user: args.user,
    identityFile: args.identity === undefined ? undefined : resolve(args.identity),
  };
}

export function waitMs(args: { readonly 'connect-timeout': string }): number {
  return parseDuration(args['connect-timeout']);
}
