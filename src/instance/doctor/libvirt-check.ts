import { connect } from 'node:net';
import { join } from 'node:path';
import { fileExists } from '../../host/files.js';
import { LaunchError } from '../../host/launch-error.js';
import { errnoOf } from '../../host/system-error.js';
import { complaintOf } from '../../host/command.js';
import type { Examination } from './examination.js';
import type { Finding, Problem } from './finding.js';

type SocketState = 'answers' | 'forbidden' | 'dead' | 'missing';

/** libvirt answers, which daemon it is, and the daemon that keeps the consoles' logs is there too. */
export async function checkLibvirt(examination: Examination): Promise<Finding> {
  const { uri } = examination.host.hypervisor;
  const asksSystem = examination.isLocal && examination.isSystem;
  const daemon = asksSystem ? await nameDaemon(examination.places.libvirtRun) : undefined;
  try {
    const { libvirt, emulator } = await examination.versions();
    const logs = asksSystem ? await logProblem(examination) : undefined;
    return {
      found: [`libvirt ${libvirt}`, daemon, emulator].filter((part) => part !== undefined).join(', '),
      problems: logs === undefined ? [] : [logs],
      facts: { uri, libvirt, emulator, daemon },
    };
  } catch (error) {
    if (!(error instanceof LaunchError) || error.code !== 'HYPERVISOR_UNREACHABLE') throw error;
    return {
      found: 'cannot be reached',
      problems: [await unreachableProblem(examination, error)],
      facts: { uri, daemon },
    };
  }
}

/** virtproxyd stands in for libvirtd where the daemons are modular, so virtqemud is asked for first. */
async function nameDaemon(run: string): Promise<string | undefined> {
  if ((await tryRunSocket(run, 'virtqemud-sock')) === 'answers') return 'modular daemons (virtqemud)';
  if ((await tryRunSocket(run, 'libvirt-sock')) === 'answers') return 'monolithic libvirtd';
  return undefined;
}

function tryRunSocket(run: string, name: string): Promise<SocketState> {
  return trySocket(join(run, name));
}

/** Whether somebody accepts on a socket. A daemon that systemd starts on demand is started by this. */
async function trySocket(path: string): Promise<SocketState> {
  return await new Promise((resolve) => {
    const socket = connect(path);
    const settle = (state: SocketState) => {
      socket.destroy();
      resolve(state);
    };
    socket.setTimeout(500, () => {
      settle('dead');
    });
    socket.on('connect', () => {
      settle('answers');
    });
    socket.on('error', (error) => {
      const errno = errnoOf(error);
      settle(errno === 'EACCES' ? 'forbidden' : errno === 'ENOENT' ? 'missing' : 'dead');
    });
  });
}

async function unreachableProblem(examination: Examination, error: LaunchError): Promise<Problem> {
  const { uri } = examination.host.hypervisor;
  const why = `every launch asks libvirt; it says: ${error.message}`;
  const hangs = error.message.includes('no answer within');
  if (uri !== 'qemu:///system') {
    return {
      level: 'failed',
      found: `libvirt at ${uri} ${hangs ? 'does not answer' : 'cannot be reached'}`,
      why,
      cure: {
        text: "is that the libvirt you mean? this host's own is qemu:///system (--connect, LIBVIRT_DEFAULT_URI)",
        command: `virsh --connect '${uri}' version`,
      },
    };
  }
  const socket = await tryRunSocket(examination.places.libvirtRun, 'libvirt-sock');
  if (hangs) {
    return {
      level: 'failed',
      found: 'libvirt takes the call and does not answer',
      why,
      cure: {
        text: 'it hangs: restart it, which leaves the guests running (without systemd: end libvirtd, then libvirtd -d)',
        command: (await isSystemd()) ? 'systemctl restart libvirtd' : undefined,
      },
    };
  }
  if (socket === 'forbidden' || /permission denied|authentication|system bus/i.test(error.message)) {
    return {
      level: 'failed',
      found: 'libvirt does not let you in',
      why,
      cure: {
        text: 'join the group that may use it, then log in again; or use your own:  --connect qemu:///session',
        command: 'sudo adduser "$USER" libvirt',
      },
    };
  }
  const commands = await startCommands();
  return {
    level: 'failed',
    found: 'no daemon of libvirt runs',
    why,
    cure: {
      text: 'start it',
      command: commands.map((command) => command.join(' ')).join(' && '),
      fix: () => runAll(examination, commands, 'started libvirt'),
    },
  };
}

async function logProblem(examination: Examination): Promise<Problem | undefined> {
  const state = await tryRunSocket(examination.places.libvirtRun, 'virtlogd-sock');
  if (state === 'answers' || state === 'forbidden') return undefined;
  const command: readonly [string, ...string[]] = (await isSystemd())
    ? ['systemctl', 'start', 'virtlogd.socket']
    : ['virtlogd', '-d'];
  return {
    // Without a socket libvirt may have been told to do without (stdio_handler = "file").
    level: state === 'dead' ? 'failed' : 'warning',
    found: 'virtlogd does not run',
    why: "it keeps the guests' console logs; without it libvirt refuses to start a guest that has one",
    cure: {
      text: 'start it',
      command: command.join(' '),
      fix: () => runAll(examination, [command], 'started virtlogd'),
    },
  };
}

async function startCommands(): Promise<readonly (readonly [string, ...string[]])[]> {
  if (!(await isSystemd())) {
    return [
      ['virtlogd', '-d'],
      ['libvirtd', '-d'],
    ];
  }
  // Fedora has both, and enables the modular ones.
  const isModular = fileExists('/etc/systemd/system/sockets.target.wants/virtqemud.socket');
  return !isModular && fileExists('/usr/sbin/libvirtd')
    ? [['systemctl', 'start', 'libvirtd']]
    : [['systemctl', 'start', 'virtqemud.socket', 'virtnetworkd.socket', 'virtlogd.socket']];
}

async function isSystemd(): Promise<boolean> {
  return fileExists('/run/systemd/system');
}

async function runAll(
  examination: Examination,
  commands: readonly (readonly [string, ...string[]])[],
  done: string,
): Promise<string> {
  for (const [file, ...args] of commands) {
    const result = await examination.run(file, args);
    if (result.exitCode === 0) continue;
    throw new LaunchError('COMMAND_FAILED', `"${file}" says: ${complaintOf(file, result)}`);
  }
  return `${done}:  ${commands.map((command) => command.join(' ')).join(' && ')}`;
}
