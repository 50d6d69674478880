import { installCommand } from '../../host/install-command.js';
import { LaunchError } from '../../host/launch-error.js';
import type { GuestGraphics } from '../../instance/login/guest-graphics.js';
import type { Context } from '../context.js';
import { defineCommand } from '../define-command.js';
import { findProgram } from '../find-program.js';
import { instancePositional } from '../positionals.js';

export const vncCommand = defineCommand(
  {
    command: 'vnc <instance>',
    describe: "Print where a guest's screen is seen, or open it",
    positionals: instancePositional,
    options: {
      open: { type: 'boolean', default: false, describe: 'start a viewer: remote-viewer, vncviewer, …' },
    },
    examples: [
      ['vnc web', 'vnc://127.0.0.1:5900'],
      ['vnc web --open', 'in a viewer'],
    ],
  },
  async (context, args) => {
    const { findGraphics } = await import('../../instance/login/guest-graphics.js');
    const graphics = await findGraphics(context.host, args.instance);
    if (args.open) {
      await openViewer(context, graphics);
      return;
    }
    context.emit(graphics, () => `${graphics.uri}\n`);
  },
);

/** What each viewer wants to be told; the best first. */
const viewers: Readonly<Record<string, (graphics: GuestGraphics) => readonly string[]>> = {
  'remote-viewer': ({ uri }) => [uri],
  vncviewer: ({ address, port }) => [`${address}::${port}`],
  gvncviewer: ({ address, port }) => [`${address}:${port - 5900}`],
  krdc: ({ uri }) => [uri],
  vinagre: ({ uri }) => [uri],
  remmina: ({ uri }) => ['-c', uri],
  'xdg-open': ({ uri }) => [uri],
};

async function openViewer(context: Context, graphics: GuestGraphics): Promise<void> {
  const { environment } = context;
  const tunnel = `ssh -L ${graphics.port}:${graphics.address}:${graphics.port} THIS-HOST`;
  if ((environment['DISPLAY'] ?? environment['WAYLAND_DISPLAY'] ?? '') === '') {
    throw new LaunchError('COMMAND_FAILED', 'a viewer needs a desktop, and there is none here', {
      hint: `from your own machine:  ${tunnel}    and there open ${graphics.uri}`,
    });
  }
  // Those for VNC only take no address of Spice's.
  const names = Object.keys(viewers).filter((name) => graphics.type === 'vnc' || !name.includes('vnc'));
  const name = await findProgram(names, environment['PATH']);
  if (name === undefined) {
    throw new LaunchError('COMMAND_MISSING', 'cannot find a viewer', {
      hint: `install one:  ${installCommand(['virt-viewer'])}    or open ${graphics.uri} yourself`,
    });
  }
  const { runAttached } = await import('../../host/attached-command.js');
  context.endProgress();
  const command = [name, ...(viewers[name]?.(graphics) ?? [])] as const;
  const { exitCode } = await runAttached(command, { signal: context.signal });
  if (exitCode !== 0) throw new LaunchError('COMMAND_FAILED', `"${name}" ended with ${exitCode}`);
}
