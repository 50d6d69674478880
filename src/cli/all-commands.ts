import { baseCommand } from './commands/base.js';
import { consoleCommand } from './commands/console.js';
import { cpCommand } from './commands/cp.js';
import { deleteCommand } from './commands/delete.js';
import { dfCommand } from './commands/df.js';
import { doctorCommand } from './commands/doctor.js';
import { execCommand } from './commands/exec.js';
import { flavorCommand } from './commands/flavor.js';
import { imageCommand } from './commands/image.js';
import { inspectCommand } from './commands/inspect.js';
import { listCommand } from './commands/list.js';
import { logCommand } from './commands/log.js';
import { runCommand } from './commands/run.js';
import { showCommand } from './commands/show.js';
import { sshCommand } from './commands/ssh.js';
import { sshConfigCommand } from './commands/ssh-config.js';
import { templateCommand } from './commands/template.js';
import { waitCommand } from './commands/wait.js';
import { vncCommand } from './commands/vnc.js';
import {
  pauseCommand,
  rebootCommand,
  resumeCommand,
  startCommand,
  stopCommand,
} from './commands/change-state.js';
import { completionCommand } from './commands/completion.js';

/** In the order of --help; the first is `launch IMAGE`. */
export const commands = [
  ...[runCommand, listCommand, showCommand, inspectCommand],
  ...[startCommand, stopCommand, rebootCommand, pauseCommand, resumeCommand, deleteCommand],
  ...[waitCommand],
  ...[sshCommand, execCommand, cpCommand, logCommand, consoleCommand, vncCommand, sshConfigCommand],
  ...[baseCommand, dfCommand, doctorCommand],
  ...[imageCommand, flavorCommand, templateCommand, completionCommand],
];

/** Options that every command has. */
export const commonOptions = {
  format: {
    choices: ['table', 'json'] as const,
    default: 'table' as const,
    describe: 'how to print results',
  },
  home: {
    type: 'string',
    describe: 'where images and instances are kept (LAUNCH_HOME)',
    requiresArg: true,
  },
  connect: { type: 'string', describe: "libvirt's URI (LIBVIRT_DEFAULT_URI)", requiresArg: true },
  quiet: {
    type: 'boolean',
    alias: 'q',
    default: false,
    describe: 'no progress, only results and errors',
  },
  verbose: { type: 'boolean', default: false, describe: 'show where an error came from' },
  timings: {
    type: 'boolean',
    default: false,
    describe: 'show when each piece of work began, how long it took',
  },
  trace: {
    type: 'string',
    describe: 'write the timings to a file for chrome://tracing',
    requiresArg: true,
  },
} as const;
