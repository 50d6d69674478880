import { installCommand } from '../../host/install-command.js';
import { LaunchError } from '../../host/launch-error.js';
import { asMaker } from '../../host/maker.js';
import { ensureDirectory } from '../../host/files.js';
import { diskFormats } from '../../qemu-img/disk-format.js';
import type { Examination } from './examination.js';
import { count } from '../../host/units.js';
import { shortList, type Finding, type Problem } from './finding.js';
import { join } from 'node:path';
import { rm, writeFile } from 'node:fs/promises';

const install = (text = 'install it') => ({
  text,
  command: installCommand(['qemu-utils', 'qemu-system-x86']),
});

/** The emulator that libvirt found, the machines that instances were frozen to, and what qemu-img can do. */
export async function checkQemu(examination: Examination): Promise<Finding> {
  const tools = await examineQemuImg(examination);
  const { emulator } = await examination.versions();
  const { emulatorPath, machineTypes, arch } = await examination.capabilities();
  const problems: Problem[] = [...tools.problems];
  if (emulatorPath === undefined) {
    problems.push({
      level: 'failed',
      found: `libvirt knows no emulator for ${arch ?? 'this host'}`,
      why: 'no guest can be started',
      cure: install('install it; libvirt notices by itself'),
    });
  }
  problems.push(...(await machineProblems(examination, machineTypes)));
  const version = emulator ?? 'QEMU of unknown version';
  const abilities = Object.entries(tools.abilities).map(([name, has]) => `${name} ${has ? 'yes' : 'no'}`);
  return {
    found: [version, tools.version, ...abilities].join(', '),
    problems,
    facts: { emulator, emulatorPath, qemuImg: tools.version, ...tools.abilities, machineTypes },
  };
}

interface QemuImgFindings {
  readonly version: string;
  readonly abilities: Readonly<Record<string, boolean>>;
  readonly problems: readonly Problem[];
}

async function examineQemuImg(examination: Examination): Promise<QemuImgFindings> {
  let help: string;
  try {
    const [one, two] = await Promise.all([
      examination.run('qemu-img', ['--help']),
      examination.run('qemu-img', ['create', '-f', 'qcow2', '-o', 'help', 'any']),
    ]);
    help = `${one.stdout}\n${two.stdout}`;
  } catch (error) {
    if (!(error instanceof LaunchError) || error.code !== 'COMMAND_MISSING') throw error;
    const problem: Problem = {
      level: 'failed',
      found: 'there is no qemu-img',
      why: 'bases and disks are made with it',
      cure: install(),
    };
    return { version: 'no qemu-img', abilities: {}, problems: [problem] };
  }
  const version = /version (\d+(\.\d+)+)/.exec(help)?.[1];
  const formats = /^Supported formats:(.*)$/m.exec(help)?.[1]?.trim().split(/\s+/) ?? [];
  const missing = diskFormats.filter((format) => !formats.includes(format));
  const extendedL2 = /^\s*extended_l2=/m.test(help);
  const ioUring = await tryIoUring(examination);
  const problems: Problem[] = [];
  if (missing.length > 0) {
    problems.push({
      level: missing.some((format) => format === 'qcow2' || format === 'raw') ? 'failed' : 'warning',
      found: `qemu-img cannot read ${missing.join(', ')}`,
      why: 'images in these formats cannot be launched',
      cure: {
        text: "install the distribution's whole QEMU; some split formats into packages (qemu-block-…)",
      },
    });
  }
  if (!extendedL2) {
    problems.push({
      level: 'note',
      found: 'qemu-img does not know extended_l2',
      why: 'an overlay with its metadata made ahead (--preallocate metadata) needs QEMU 5.2',
      cure: { text: 'upgrade QEMU, or do without --preallocate metadata' },
    });
  }
  return {
    version: `qemu-img ${version ?? 'of unknown version'}`,
    abilities: { extended_l2: extendedL2, ...(ioUring === undefined ? {} : { io_uring: ioUring }) },
    problems,
  };
}

const trialBytes = 64 * 1024;

/** Reads through io_uring for once: QEMU may lack it, and so may the kernel. Undefined: it was not tried. */
async function tryIoUring(examination: Examination): Promise<boolean | undefined> {
  const { home } = examination.host;
  try {
    await ensureDirectory(home.bases);
    return await asMaker(home, async (maker) => {
      const path = maker.temporaryPath(join(home.bases, 'io-uring'));
      try {
        await writeFile(path, Buffer.alloc(trialBytes));
        const args = ['bench', '-q', '-f', 'raw', '-c', '1', '-d', '1', '-i', 'io_uring', path];
        return (await examination.run('qemu-img', args)).exitCode === 0;
      } finally {
        await rm(path, { force: true });
      }
    });
  } catch (error) {
    if (error instanceof LaunchError && error.code === 'INTERRUPTED') throw error;
    // Where nothing can be written, the check of storage says so.
    return undefined;
  }
}

/** An instance keeps the machine type of its first start; a later QEMU may have dropped it. */
async function machineProblems(
  examination: Examination,
  machineTypes: readonly string[],
): Promise<readonly Problem[]> {
  const { records } = await examination.records();
  const lost = records.filter(
    ({ machineType }) => machineType !== null && !machineTypes.includes(machineType),
  );
  if (lost.length === 0 || machineTypes.length === 0) return [];
  const types = [...new Set(lost.map(({ machineType }) => machineType ?? ''))];
  return [
    {
      level: 'warning',
      found: `${count(lost.length, 'instance')} of machine ${shortList(types)}, which this QEMU does not have`,
      why: `they cannot be started: ${shortList(lost.map(({ domainName }) => domainName))}`,
      cure: {
        text: "take back the QEMU that has it, or set another machine type in the domain's XML",
        command: `virsh edit ${lost[0]?.domainName ?? ''}`,
      },
    },
  ];
}
