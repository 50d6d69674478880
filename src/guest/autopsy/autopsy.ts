import { diagnoseBoot } from './autopsy-boot.js';
import { diagnoseNetwork } from './autopsy-network.js';
import { diagnoseCloudInit, diagnoseRunningCloudInit, diagnoseSsh } from './autopsy-services.js';
import type { Diagnosis } from './diagnosis.js';
import type { Evidence } from './evidence.js';
import { whySlow } from './why-slow.js';

/**
 * Says from what was seen why a guest is not ready, the earliest trouble first: what comes later cannot be
 * judged while that lasts. Pure.
 */
export function diagnose(evidence: Evidence, name: string): Diagnosis {
  return (
    diagnoseMachine(evidence, name) ??
    diagnoseBoot(evidence, name) ??
    (evidence.goal === 'console' ? undefined : diagnoseServices(evidence, name)) ??
    stillBooting(evidence, name) ??
    unseen(evidence, name)
  );
}

function diagnoseServices(evidence: Evidence, name: string): Diagnosis | undefined {
  if (evidence.goal === 'cloud-init') {
    const cloudInit = diagnoseCloudInit(evidence, name);
    if (cloudInit !== undefined) return cloudInit;
    // Up to the end of this part there is no network to judge.
    if (evidence.console.cloudInit.running === 'init-local') return diagnoseRunningCloudInit(evidence, name);
  }
  const { cards, addresses, ssh } = evidence;
  // Behind a forwarded port there is no address to wait for.
  const forwarded = ssh !== undefined && cards.length > 0 && cards.every(({ kind }) => kind === 'user');
  if (!forwarded && addresses.length === 0 && ssh?.answer !== 'ssh') {
    return diagnoseNetwork(evidence, name);
  }
  if (evidence.goal === 'address' && !forwarded) return undefined;
  if (evidence.goal === 'cloud-init') {
    // Many a guest starts its ssh server behind cloud-init, and knows no key before.
    const running = diagnoseRunningCloudInit(evidence, name);
    if (running !== undefined) return running;
  }
  return diagnoseSsh(evidence, name);
}

function diagnoseMachine({ domainState, console }: Evidence, name: string): Diagnosis | undefined {
  if (domainState === undefined) {
    return {
      cause: 'guest-gone',
      problem: 'is gone: libvirt has no such domain any more',
      likely: 'somebody undefined the domain',
      cures: [{ what: 'define and start it again', command: `launch start ${name}` }],
      final: true,
    };
  }
  if (domainState === 'shut off' || domainState === 'crashed') {
    return {
      cause: 'guest-off',
      problem:
        domainState === 'crashed' ? 'has crashed' : 'is off: the guest stopped while it was waited for',
      likely:
        console.panics.length > 0
          ? `its kernel panicked: ${console.panics.at(-1) ?? ''}`
          : 'the guest powered itself off, or somebody stopped it',
      cures: [
        { what: 'what it said last', command: `launch log ${name}` },
        { what: 'start it again', command: `launch start ${name}` },
      ],
      final: true,
    };
  }
  if (domainState === 'paused' || domainState === 'pmsuspended') {
    return {
      cause: 'guest-paused',
      problem: `is ${domainState === 'paused' ? 'paused' : 'asleep'}: its processors do not run`,
      likely: 'somebody paused it; or libvirt did, when a write to its disk failed (a full file system)',
      cures: [
        { what: 'let it go on', command: `launch resume ${name}` },
        { what: 'is there space?', command: 'launch df' },
      ],
      final: false,
    };
  }
  return undefined;
}

/** Within this time a guest that prints is getting on. */
const livelySeconds = 8;

function stillBooting(evidence: Evidence, name: string): Diagnosis | undefined {
  const { console, quietSeconds } = evidence;
  if (console.loginPrompt || !console.spoke || quietSeconds > livelySeconds) return undefined;
  const slow = whySlow(evidence);
  return {
    cause: 'still-booting',
    problem: 'is still booting: its console goes on printing',
    likely: `it needs more time${slow === undefined ? '' : `: ${slow}`}`,
    cures: [
      { what: 'wait longer', command: `launch wait ${name} --for ${waitWord(evidence)} --timeout 10m` },
    ],
    final: false,
  };
}

function waitWord({ goal }: Evidence): string {
  return goal === 'console' ? "'console=REGEX'" : goal;
}

function unseen(evidence: Evidence, name: string): Diagnosis {
  const console = { what: 'look at its console', command: `launch console ${name}` };
  if (evidence.goal === 'console') {
    return {
      cause: 'pattern-unseen',
      problem: 'did not print it',
      likely: 'the guest says it in other words, or on another console',
      cures: [{ what: 'what it said', command: `launch log ${name}` }],
      final: false,
    };
  }
  if (evidence.goal === 'cloud-init') {
    const slow = whySlow(evidence);
    return {
      cause: 'cloud-init-unseen',
      problem: 'has not finished cloud-init',
      likely: `the image has no cloud-init, or it works on and says nothing of it${slow === undefined ? '' : `; ${slow}`}`,
      cures: [{ what: 'ask it', command: `launch ssh ${name} -- cloud-init status --long` }, console],
      final: false,
    };
  }
  return {
    cause: evidence.goal === 'ssh' ? 'ssh-failed' : 'no-address',
    problem: evidence.goal === 'ssh' ? 'cannot be logged in to' : 'got no address',
    likely: 'its system came up without what was waited for',
    cures: [console],
    final: false,
  };
}
