import { LaunchError } from '../host/launch-error.js';

/** The binding rejects with libvirt's message only, so the words have to tell the kind. */
export function hypervisorError(action: string, uri: string, error: unknown): LaunchError {
  if (error instanceof LaunchError) return error;
  const words = error instanceof Error ? error.message : String(error);
  if (
    /(failed|unable) to connect(?! to monitor)|cannot connect|authentication|connection reset|end of file|broken pipe|client socket is closed|no connection driver|URI path|system bus/i.test(
      words,
    )
  ) {
    return unreachable(uri, error);
  }
  return new LaunchError('HYPERVISOR_FAILED', `cannot ${action}: libvirt says: ${words}`, {
    hint: hintFor(words),
    cause: error,
    details: { uri },
  });
}

/** No connection to libvirt, whatever the words. */
export function unreachable(uri: string, cause: unknown): LaunchError {
  const words = cause instanceof Error ? cause.message : String(cause);
  // Without a bus there is no polkit, and only root may.
  const denied = /permission denied|authentication|system bus/i.test(words);
  return new LaunchError('HYPERVISOR_UNREACHABLE', `cannot reach libvirt at ${uri}: ${words}`, {
    hint: /no connection driver|URI path/i.test(words)
      ? "is the URI right? (--connect, LIBVIRT_DEFAULT_URI)  this host's own libvirtd is qemu:///system"
      : denied
        ? [
            'run as root, or join the group that may use it:  sudo adduser "$USER" libvirt   (then log in again)',
            'or use a libvirt of your own:  launch --connect qemu:///session …',
          ].join('\n')
        : [
            'is libvirtd running?  systemctl start libvirtd',
            'without systemd:      virtlogd -d && libvirtd -d',
          ].join('\n'),
    cause,
    details: { uri },
  });
}

function hintFor(words: string): string | undefined {
  if (/could not access kvm kernel module: permission denied/i.test(words)) {
    return 'QEMU runs as a user of its own, which may not open /dev/kvm:  chgrp kvm /dev/kvm && chmod 660 /dev/kvm';
  }
  if (/permission denied/i.test(words)) {
    return 'QEMU runs as a user of its own: every directory above the disk needs x for others (chmod o+x)';
  }
  const bridge = /cannot get interface MTU on '([^']*)'/i.exec(words)?.[1];
  if (bridge !== undefined) {
    return `libvirt believes that its network is active, but the bridge ${bridge} is gone; restart the network:  virsh net-destroy default; virsh net-start default`;
  }
  if (/bridge helper/i.test(words)) {
    return "an unprivileged libvirt reaches a bridge through QEMU's helper, which root has to allow:  echo 'allow BRIDGE' >> /etc/qemu/bridge.conf; chmod u+s /usr/lib/qemu/qemu-bridge-helper";
  }
  if (/UNIX socket path '.*' too long/i.test(words)) {
    return "libvirt keeps the guest agent's socket below your home directory, whose name is too long for that: launch with a template that has no <channel>  (launch template show linux)";
  }
  if (/cannot allocate memory/i.test(words))
    return 'take a smaller flavor, or stop an instance:  launch list';
  if (/could not access kvm|kvm.*not (available|supported)/i.test(words)) {
    return 'launch with emulation instead:  --virt-type qemu';
  }
  return undefined;
}
