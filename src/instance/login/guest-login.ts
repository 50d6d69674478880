import type { SshEndpoint } from '../../guest/ssh/ssh-options.js';
import { checkLoginUser } from '../../guest/ssh/ssh-options.js';
import { fileExists } from '../../host/files.js';
import { LaunchError } from '../../host/launch-error.js';
import type { Work } from '../../host/work.js';
import type { InstanceRecord } from '../instance-record.js';
import { findLoginUser, learnLoginUser } from './login-user.js';
import type { Host } from '../open-host.js';
import { reachGuest } from './reach-guest.js';
import { sshArguments } from './ssh-arguments.js';

export interface LoginRequest {
  /** What for, in an error's words: `log in to`. */
  readonly action: string;
  readonly user?: string | undefined;
  /** Absolute path of a private key, instead of the one in the record. */
  readonly identityFile?: string | undefined;
  /** Nobody is there to be asked for a password or a passphrase. */
  readonly batch?: boolean | undefined;
  /** How long a guest that is booting may take until its sshd answers. */
  readonly timeoutMs: number;
}

/** A way into a guest whose sshd answers. */
export interface GuestLogin {
  readonly instance: InstanceRecord;
  readonly endpoint: SshEndpoint;
  readonly user: string;
  /** The arguments of ssh, all but the destination. */
  readonly sshArguments: readonly string[];
}

/**
 * Finds out where and as whom to log in, waiting for a guest that is booting.
 *
 * @throws LaunchError INSTANCE_STATE, DOMAIN_NOT_FOUND, ARGUMENT_INVALID; WAIT_TIMEOUT, GUEST_FAILED with an autopsy
 */
export async function openGuestLogin(
  host: Host,
  instance: InstanceRecord,
  request: LoginRequest & { readonly work?: Work },
): Promise<GuestLogin> {
  const { user, batch, work = {} } = request;
  // Before the wait: what is mistyped is told at once.
  if (user !== undefined) checkLoginUser(user);
  const withKey = await withKeyThatExists(instance, request.identityFile, work);
  const endpoint = await reachGuest(host, instance, {
    action: request.action,
    timeoutMs: request.timeoutMs,
    work,
  });
  const found =
    user ?? (await findLoginUser(host, instance)) ?? (await learnLoginUser(host, withKey, endpoint, work));
  return {
    instance: withKey,
    endpoint,
    user: found,
    sshArguments: sshArguments(host, withKey, endpoint, { user: found, batch }),
  };
}

/** The instance with the key to use: a file that is gone is passed over, one that was asked for is not. */
async function withKeyThatExists(
  instance: InstanceRecord,
  asked: string | undefined,
  work: Work,
): Promise<InstanceRecord> {
  const identityFile = asked ?? instance.login.identityFile;
  if (identityFile === null) return instance;
  if (fileExists(identityFile)) return { ...instance, login: { ...instance.login, identityFile } };
  if (asked !== undefined) {
    throw new LaunchError('ARGUMENT_INVALID', `there is no private key "${asked}"`, {
      hint: '--identity takes the file of a private key, such as ~/.ssh/id_ed25519',
    });
  }
  work.onEvent?.({
    type: 'notice',
    message: `the key that ${instance.domainName} was launched with, "${identityFile}", is gone; ssh tries others`,
  });
  return { ...instance, login: { ...instance.login, identityFile: null } };
}
