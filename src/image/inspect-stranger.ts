import { LaunchError } from '../host/launch-error.js';
import type { Work } from '../host/work.js';
import type { DiskFormat } from '../qemu-img/disk-format.js';
import type { QemuImg } from '../qemu-img/qemu-img.js';
import { inspectHeader, type HeaderReport } from './header/inspect-header.js';
import { shellWord } from './header/quote.js';

/**
 * Our own header check, then qemu-img's word under limits; both must say the same.
 *
 * @throws LaunchError IMAGE_*
 */
export async function inspectStranger(
  path: string,
  displayName: string,
  declaredFormat: DiskFormat | undefined,
  qemuImg: QemuImg,
  work: Work,
): Promise<HeaderReport> {
  const report = await inspectHeader(path, {
    displayName,
    ...(declaredFormat === undefined ? {} : { declaredFormat }),
  });
  const refuse = (why: string, cause?: unknown) =>
    new LaunchError('IMAGE_CORRUPT', `refused "${displayName}": ${why}`, {
      hint: `try to repair or convert it where it was made:  qemu-img check -f ${report.format} ${shellWord(displayName)}`,
      cause,
    });
  try {
    const second = await qemuImg.inspect(path, report.format, work);
    if (second.backingPath !== undefined || second.encrypted) {
      throw refuse('qemu-img sees a backing file or encryption that the header check did not');
    }
    if (second.virtualSizeBytes !== report.virtualSizeBytes) {
      throw refuse(
        `the header says ${report.virtualSizeBytes} bytes, qemu-img says ${second.virtualSizeBytes} bytes`,
      );
    }
    await qemuImg.check(path, report.format, work);
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    const { damage } = error.details ?? {};
    if (typeof damage === 'string') throw refuse(`its data is damaged: ${damage}`, error);
    if (error.code !== 'COMMAND_FAILED') throw error;
    throw refuse(`qemu-img cannot read it as ${report.format}`, error);
  }
  return report;
}
