import type { Diagnosis } from './diagnosis.js';
import type { Evidence, SshEvidence } from './evidence.js';
import { whySlow } from './why-slow.js';

/** Why a guest that has an address cannot be logged in to; undefined when nothing speaks against it. */
export function diagnoseSsh(evidence: Evidence, name: string): Diagnosis | undefined {
  const { ssh, console } = evidence;
  if (ssh === undefined || ssh.login?.outcome === 'accepted') return undefined;
  const at = `${ssh.address}${ssh.port === 22 ? '' : ` port ${ssh.port}`}`;
  const look = { what: 'look from within', command: `launch console ${name}` };
  switch (ssh.answer) {
    case 'refused':
    case 'mute':
      if (evidence.quietSeconds < 5 && !console.loginPrompt && console.sshFailed === undefined)
        return undefined;
      return {
        cause: 'ssh-off',
        problem:
          ssh.answer === 'refused'
            ? `has an address, but no ssh server: ${at} refuses the connection`
            : `has a forwarded port, but no ssh server behind it: ${at} says nothing`,
        likely:
          console.sshFailed ??
          'the ssh server is not installed, not enabled, or did not start (it needs host keys)',
        cures: [{ ...look, what: 'look why' }],
        final: false,
      };
    case 'silent':
    case 'unreachable':
      return {
        cause: 'ssh-unreachable',
        problem: `has the address ${at}, but nothing comes back from there`,
        likely:
          ssh.answer === 'unreachable'
            ? 'the address is of an earlier start, or is not on a network of this host'
            : "a firewall, in the guest or on the host, drops what goes to the guest's port",
        cures: [look, { what: 'look at the network', command: 'launch doctor network firewall' }],
        final: false,
      };
    case 'foreign':
      return {
        cause: 'ssh-foreign',
        problem: `answers at ${at}, but not as an ssh server`,
        likely: `something else listens on this port: it said ${JSON.stringify(ssh.banner ?? '')}`,
        cures: [look],
        final: false,
      };
    case 'ssh':
      return diagnoseLogin(ssh, evidence, name);
  }
}

function diagnoseLogin(ssh: SshEvidence, evidence: Evidence, name: string): Diagnosis | undefined {
  const { login } = ssh;
  if (login === undefined) return undefined;
  if (login.outcome === 'refused') {
    return {
      cause: 'ssh-key-refused',
      problem: `answers ssh, but does not let ${login.user} in: ${login.words}`,
      likely:
        evidence.console.cloudInit.finished === undefined
          ? 'the guest does not know this key: it was launched with another, reads no seed, or has another user'
          : `the guest does not know this key for ${login.user}: it was launched with another, or the image has another user`,
      cures: [
        { what: 'another user or key', command: `launch ssh ${name} --user NAME --identity FILE` },
        {
          what: 'say which user the image has',
          command: 'launch image import … --property os_admin_user=NAME',
        },
        { what: 'look from within', command: `launch console ${name}` },
      ],
      final: evidence.console.cloudInit.finished !== undefined,
    };
  }
  return {
    cause: 'ssh-failed',
    problem: `answers ssh, but the login as ${login.user} failed: ${login.words}`,
    likely: 'the ssh server is only coming up, or ssh of this host refuses to talk to it',
    cures: [{ what: 'see for yourself', command: `launch ssh ${name}` }],
    final: false,
  };
}

/** What cloud-init says of itself, on the console or in its report. */
export function diagnoseCloudInit(evidence: Evidence, name: string): Diagnosis | undefined {
  const story = evidence.console.cloudInit;
  const report = evidence.cloudInit;
  if (evidence.withoutCloudInit) {
    return {
      cause: 'cloud-init-absent',
      problem: 'runs, but has no cloud-init',
      likely: 'the image comes without it: nothing in it reads user-data',
      cures: [{ what: 'wait for what it has', command: `launch wait ${name} --for ssh` }],
      final: true,
    };
  }
  const told = [...(report?.errors ?? []), ...(report?.recoverable ?? [])];
  const unreadable = [...story.userDataUnreadable, ...told.filter((line) => isUnreadable(line))];
  const finished = story.finished !== undefined || report !== undefined;
  const ask = { what: 'ask it', command: `launch ssh ${name} -- cloud-init status --long` };
  const log = { what: 'its own log', command: `launch ssh ${name} -- sudo cat /var/log/cloud-init.log` };
  if (unreadable.length > 0) {
    return {
      cause: 'user-data-unreadable',
      problem: 'booted, but cloud-init could not read its user-data',
      likely: `the user-data is not what cloud-init knows: ${unreadable[0] ?? ''}`,
      cures: [
        { what: 'see what it was given', command: `launch show ${name} --seed` },
        { what: 'check it', command: 'cloud-init schema --config-file FILE' },
      ],
      final: finished,
    };
  }
  const failed = [...told.filter((line) => /scripts[-_]user|runcmd/i.test(line)), ...story.userDataFailed];
  if (failed.length > 0) {
    return {
      cause: 'user-data-failed',
      problem: 'booted, but what its user-data runs has failed',
      likely: `a script or command of the user-data ended with an error: ${story.saidBefore.at(-1) ?? failed[0] ?? ''}`,
      cures: [
        { what: 'what it printed', command: `launch ssh ${name} -- sudo cat /var/log/cloud-init-output.log` },
      ],
      final: finished,
    };
  }
  const problems = [...(report?.errors ?? []), ...story.problems];
  if (problems.length === 0) return undefined;
  return {
    cause: 'cloud-init-failed',
    problem: 'booted, but cloud-init had errors',
    likely: problems[0] ?? '',
    cures: [ask, log],
    final: finished,
  };
}

/** cloud-init that the console has shown at work, and not at its end; undefined when it showed none. */
export function diagnoseRunningCloudInit(evidence: Evidence, name: string): Diagnosis | undefined {
  const { running, finished } = evidence.console.cloudInit;
  if (running === undefined || finished !== undefined || evidence.cloudInit !== undefined) return undefined;
  const slow = whySlow(evidence);
  return {
    cause: 'cloud-init-unseen',
    problem: `has not finished cloud-init: it is at "${running}"`,
    likely: `${partWords[running] ?? 'it is at work'}${slow === undefined ? '' : `; and ${slow}`}`,
    cures: [
      { what: 'wait longer', command: `launch wait ${name} --for cloud-init --timeout 15m` },
      { what: 'what it is at', command: `launch log -f ${name}` },
      { what: 'ask it', command: `launch ssh ${name} -- cloud-init status --long` },
    ],
    final: false,
  };
}

/** What takes time in each part of cloud-init, which run in this order. */
const partWords: Readonly<Record<string, string>> = {
  'init-local': 'it looks for its seed, and sets up the network',
  init: 'it waits for the network or fetches what user-data includes; it makes users, keys and file systems',
  'modules:config': 'it sets up what the user-data configures',
  'modules:final': 'it installs packages, or runs the scripts and commands of the user-data',
};

function isUnreadable(line: string): boolean {
  return /yaml|schema|not-multipart|content-type|cloud-config/i.test(line);
}
