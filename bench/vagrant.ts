import { access, chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createVagrantProject,
  tinyVagrantfile,
  type VagrantProject,
} from '../test/support/vagrant-project.js';
import type { Benchmark } from './benchmark.js';
import { measureInTurn, type Contender } from './measure.js';
import { launchCommand, runCommand, surroundingsOf, timeCommand, type Surroundings } from './processes.js';

/** "tiny" with Vagrant's published key; test/vagrant/run makes it. */
const tiny = fileURLToPath(new URL('../../../.cache/vagrant/tiny.qcow2', import.meta.url));

const reference = 'vagrant up, vagrant destroy';

export const vagrant: Benchmark = {
  name: 'vagrant',
  title: 'Vagrant and launch, on the same box',
  onlyByName: true,
  async run(options) {
    const { directory, signal, say, rounds = 5 } = options;
    await access(tiny).catch(() => {
      throw new Error(`"${tiny}" is missing; make it by:  npm run test:vagrant -- box`);
    });
    // QEMU's user has to get through to the disks.
    await chmod(directory, 0o711);
    const surroundings = surroundingsOf(options);
    const box = join(directory, 'tiny.box');
    const asRoot = ['--property', 'os_admin_user=root'];
    const command = (...args: readonly string[]) => runCommand(launchCommand(...args), surroundings);
    await command('image', 'import', tiny, '--name', 'tiny', ...asRoot);
    await command('image', 'export', 'tiny', box, '--disk-format', 'box');
    await command('image', 'import', box, '--name', 'boxed', ...asRoot);
    const project = await createVagrantProject({ vagrantfile: tinyVagrantfile });
    try {
      await project.vagrant(['box', 'add', '--name', 'tiny', box]);
      const results = await measureInTurn([theirs(project), ours(surroundings)], {
        ...{ rounds, reference, signal, onRun: say },
      });
      return [
        {
          id: 'up',
          title: 'From a box to a guest that answers ssh, and away again',
          text:
            'The same box, made by `launch image export --format box`, under TCG with 256 MiB: `vagrant up` with ' +
            'vagrant-libvirt until it has spoken ssh, and `launch --wait ssh`. The warm-up round has uploaded the ' +
            'box to its pool, and made the base. How long the guest itself takes to boot is in both.',
          reference,
          measures: [
            { name: 'up', unit: 's' },
            { name: 'away', unit: 's' },
          ],
          results,
        },
      ];
    } finally {
      await project.dispose();
    }
  },
};

function theirs(project: VagrantProject): Contender {
  const timed = async (...args: readonly string[]) => {
    const begun = performance.now();
    await project.vagrant(args);
    return (performance.now() - begun) / 1000;
  };
  return {
    name: reference,
    measure: async () => ({
      up: await timed('up', '--provider', 'libvirt'),
      away: await timed('destroy', '--force'),
    }),
  };
}

function ours(surroundings: Surroundings): Contender {
  const timed = (...args: readonly string[]) => timeCommand(launchCommand(...args), surroundings);
  const asked = ['--flavor', 'm1.tiny', '--memory', '256', '--virt-type', 'qemu', '--wait', 'ssh'];
  return {
    name: 'launch --wait ssh, launch delete',
    measure: async () => ({
      up: await timed('boxed', '--name', 'bench-vagrant', '--seed', 'none', ...asked),
      away: await timed('delete', 'bench-vagrant'),
    }),
  };
}
