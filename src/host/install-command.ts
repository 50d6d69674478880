import { readFileSync } from 'node:fs';

/** Debian's packages that Fedora calls otherwise; the scripts have theirs in scripts/distribution. */
const fedoraNames: Readonly<Record<string, string>> = {
  'qemu-utils': 'qemu-img',
  'libvirt-clients': 'libvirt-client',
  'libvirt-dev': 'libvirt-devel',
  'openssh-client': 'openssh-clients',
  gpgv: '/usr/bin/gpgv',
  'xz-utils': 'xz',
  'g++': 'gcc-c++',
};

/**
 * What a person types to install packages on this host.
 *
 * @param packages by Debian's names
 * @param osRelease the text of os-release(5)
 */
export function installCommand(packages: readonly string[], osRelease = readOsRelease()): string {
  if (!/^ID="?fedora"?$/m.test(osRelease)) return `apt-get install ${packages.join(' ')}`;
  return `dnf install ${packages.map((name) => fedoraNames[name] ?? name).join(' ')}`;
}

function readOsRelease(): string {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}
