import { describe, expect, it } from 'vitest';
import { parseCapabilities } from '../../../../src/instance/doctor/capabilities.js';

const xml = `<capabilities>
  <host>
    <cpu><arch>x86_64</arch></cpu>
    <secmodel><model>apparmor</model><doi>0</doi></secmodel>
    <secmodel><model>dac</model><doi>0</doi>
      <baselabel type='kvm'>+64055:+108</baselabel>
      <baselabel type='qemu'>+64055:+108</baselabel>
    </secmodel>
  </host>
  <guest><os_type>hvm</os_type>
    <arch name='i686'><emulator>/usr/bin/qemu-system-i386</emulator><machine>isapc</machine></arch>
  </guest>
  <guest><os_type>hvm</os_type>
    <arch name='x86_64'>
      <emulator>/usr/bin/qemu-system-x86_64</emulator>
      <machine canonical='pc-i440fx-7.2' maxCpus='255'>pc</machine>
      <machine maxCpus='255'>pc-i440fx-7.2</machine>
      <domain type='qemu'/>
      <domain type='kvm'><machine maxCpus='288'>pc-q35-7.2</machine></domain>
    </arch>
  </guest>
</capabilities>`;

describe('parseCapabilities', () => {
  it('tells whom QEMU runs as, under which drivers, and which machines it has', () => {
    expect(parseCapabilities(xml)).toEqual({
      arch: 'x86_64',
      securityModels: ['apparmor', 'dac'],
      qemuUser: { uid: 64055, gid: 108 },
      emulatorPath: '/usr/bin/qemu-system-x86_64',
      machineTypes: ['pc', 'pc-i440fx-7.2', 'pc-q35-7.2'],
      virtTypes: ['qemu', 'kvm'],
    });
  });

  it('knows that a libvirt of a user runs QEMU as that user, and does without an emulator', () => {
    const session =
      '<capabilities><host><cpu><arch>x86_64</arch></cpu><secmodel><model>none</model></secmodel></host></capabilities>';
    expect(parseCapabilities(session)).toMatchObject({
      qemuUser: undefined,
      securityModels: [],
      emulatorPath: undefined,
      machineTypes: [],
    });
  });
});
