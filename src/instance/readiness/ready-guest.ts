import type { SshEndpoint } from '../../guest/ssh/ssh-options.js';
import type { ReachedStage } from '../../guest/boot/stage.js';
import type { BootWatch } from './boot-watch.js';
import type { GuestAddress } from './guest-addresses.js';

/** A guest that has become what was waited for. */
export interface ReadyGuest {
  readonly stages: readonly ReachedStage[];
  /** Seconds from the guest's start, or from the wait's where that is not known. */
  readonly seconds: number;
  readonly addresses: readonly GuestAddress[];
  /** Where its ssh server answered. */
  readonly sshEndpoint: SshEndpoint | undefined;
  /** Who was let in there. */
  readonly loginUser: string | undefined;
  /** The line of the console that was waited for. */
  readonly consoleLine: string | undefined;
}

/** A guest that was started this moment, of which no more is asked. */
export const startedGuest: ReadyGuest = {
  stages: [{ stage: 'started', atSeconds: 0 }],
  seconds: 0,
  addresses: [],
  sshEndpoint: undefined,
  loginUser: undefined,
  consoleLine: undefined,
};

export function readyGuest(watch: BootWatch, consoleLine: string | undefined): ReadyGuest {
  const { ssh } = watch;
  return {
    stages: watch.reached,
    seconds: Math.round(watch.secondsSinceStart * 10) / 10,
    addresses: watch.addresses,
    sshEndpoint: ssh?.answer === 'ssh' ? { address: ssh.address, port: ssh.port } : undefined,
    loginUser: watch.loginUser,
    consoleLine,
  };
}
