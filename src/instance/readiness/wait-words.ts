import { describeStages } from '../../guest/boot/stage.js';
import type { Evidence } from '../../guest/autopsy/evidence.js';
import type { BootWatch } from './boot-watch.js';
import type { ReadyGuest } from './ready-guest.js';

type Goal = Evidence['goal'];

/** What a wait that failed has to show for itself, before the seconds. */
export const missingWords: Readonly<Record<Goal, string>> = {
  address: 'none',
  ssh: 'no login',
  'cloud-init': 'not finished',
  console: 'not printed',
};

/** The live line: the stage, since when, and what the guest is at. */
export function describeProgress(watch: BootWatch, goal: Goal): string {
  const { stage } = watch;
  const atSeconds = watch.reached.find((one) => one.stage === stage)?.atSeconds ?? null;
  const since = atSeconds === null || stage === 'started' ? stage : `${stage} ${atSeconds.toFixed(1)} s`;
  return [since, doing(watch, goal)].filter((part) => part !== '').join('  ');
}

function doing(watch: BootWatch, goal: Goal): string {
  if (watch.domainState === 'paused') return 'paused';
  const { lastLines, loginPrompt, cloudInit } = watch.console.story();
  const lastLine = lastLines.at(-1) ?? '';
  if (goal === 'console') return lastLine;
  if (goal === 'cloud-init' && cloudInit.running !== undefined) {
    // Behind a login prompt the last line is the prompt's.
    return loginPrompt ? `cloud-init: ${cloudInit.running}` : lastLine;
  }
  const { ssh } = watch;
  if (ssh?.login !== undefined && ssh.login.outcome !== 'accepted') return `ssh: ${ssh.login.words}`;
  if (ssh !== undefined && ssh.answer !== 'ssh') {
    const noSsh = `${ssh.address}: no ssh yet`;
    return loginPrompt || lastLine === '' ? noSsh : `${noSsh}  ${lastLine}`;
  }
  return lastLine;
}

/** `192.168.122.35, 14.2 s  (kernel 3.2 s, network 9.5 s)`. */
export function describeReady(ready: ReadyGuest, goal: Goal): string {
  const { sshEndpoint, addresses } = ready;
  const endpoint =
    sshEndpoint === undefined
      ? undefined
      : `${sshEndpoint.address}${sshEndpoint.port === 22 ? '' : ` port ${sshEndpoint.port}`}`;
  const what = {
    address: addresses[0]?.address ?? endpoint ?? '',
    ssh: ready.loginUser === undefined ? (endpoint ?? '') : `${ready.loginUser}@${endpoint ?? ''}`,
    'cloud-init': 'finished',
    console: ready.consoleLine ?? '',
  }[goal];
  const past = describeStages(ready.stages);
  return `${what}, ${ready.seconds.toFixed(1)} s${past === '' ? '' : `  (${past})`}`;
}
