import { copyFile, stat } from 'node:fs/promises';

import { QemuImg } from '../../../src/qemu-img/qemu-img.js';
import { ScriptedRunner, type Answer, type RecordedCall } from '../../support/scripted-runner.js';

const dataBytes = 4 * 1024 ** 2;

/** A qemu-img to which every image is raw, with its data in the first 4 MiB. */
export function rawQemuImg(
  change: (call: RecordedCall) => Promise<Answer | undefined> = async () => undefined,
) {
  const runner = new ScriptedRunner(async (call) => (await change(call)) ?? (await answer(call)));
  return {
    runner,
    qemuImg: new QemuImg(runner),
    /** How often a subcommand was called. */
    count: (subcommand: string) => runner.calls.filter(({ args }) => args[0] === subcommand).length,
  };
}

async function answer({ args }: RecordedCall): Promise<Answer> {
  const path = args.at(-1) ?? '';
  switch (args[0]) {
    case 'map':
      return { stdout: JSON.stringify(extentsOf((await stat(path)).size)) };
    case 'convert':
      await copyFile(args.at(-2) ?? '', path);
      return { pieces: ['    (0.00/100%)\r', '    (100.00/100%)\r\n'] };
    case undefined:
    default:
      throw new Error(`no answer for: qemu-img ${args.join(' ')}`);
  }
}

function extentsOf(length: number): readonly object[] {
  const data = Math.min(length, dataBytes);
  return [
    { start: 0, length: data, depth: 0, zero: false, data: true },
    ...(length > data ? [{ start: data, length: length - data, depth: 0, zero: true, data: false }] : []),
  ];
}
