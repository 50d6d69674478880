import { fileExists } from '../../host/files.js';
import type { Examination } from './examination.js';
import { shortList, type Problem } from './finding.js';
import type { InstanceChain } from './instance-chains.js';

/** Where distributions keep what libvirt makes its profiles with. */
const programs = ['/usr/lib/libvirt/virt-aa-helper', '/usr/libexec/virt-aa-helper'];

/** Each trial takes a process; those that are left out are told of by the first. */
const triedAtMost = 16;

/**
 * Asks the program that libvirt asks at each start which files the guest's profile would allow (a dry run),
 * and compares with the chain: a link that it does not see, QEMU may not open.
 */
export async function appArmorProblems(
  examination: Examination,
  chains: readonly InstanceChain[],
): Promise<readonly Problem[]> {
  const program = await findProgram();
  if (program === undefined || process.geteuid?.() !== 0) return [];
  const refused: { readonly domainName: string; readonly path: string }[] = [];
  const defined = new Set((await examination.domains()).map(({ uuid }) => uuid));
  const tried = chains.filter(({ uuid }) => defined.has(uuid)).slice(0, triedAtMost);
  await Promise.all(
    tried.map(async ({ domainName, uuid, paths }) => {
      const xml = await examination.host.hypervisor.readDomainXml(uuid);
      const args = ['--dryrun', '--replace', '--uuid', `libvirt-${uuid}`];
      const { exitCode, stdout, stderr } = await examination.run(program, args, { input: xml });
      // Dry runs go to standard error. Where it has nothing to say, it tells nothing of this file either.
      const allowed = parseAllowedPaths(`${stdout}\n${stderr}`);
      if (exitCode !== 0 || allowed.size === 0) return;
      const path = paths.find((candidate) => !allowed.has(candidate));
      if (path !== undefined) refused.push({ domainName, path });
    }),
  );
  const [first] = refused;
  if (first === undefined) return [];
  return [
    {
      level: 'failed',
      found: `AppArmor would not let ${shortList(refused.map(({ domainName }) => domainName))} open ${JSON.stringify(first.path)}`,
      why: 'libvirt makes a profile of the files that it sees in the XML and the chain; this one it does not see, as below a hidden directory, or behind a link',
      cure: {
        text: 'keep the home where the profiles look (/var/lib, /srv, /mnt), or allow it for all guests, then restart them',
        command: `echo '  "${examination.host.home.root}/**" rwk,' >> /etc/apparmor.d/local/abstractions/libvirt-qemu`,
      },
    },
  ];
}

async function findProgram(): Promise<string | undefined> {
  for (const program of programs) if (fileExists(program)) return program;
  return undefined;
}

/** Lines of a profile: `  "/path/disk" rwk,`; a `deny` takes away only what it names. */
export function parseAllowedPaths(profile: string): ReadonlySet<string> {
  return new Set(
    [...profile.matchAll(/^\s*"([^"]+)" ([a-z]+),$/gm)].flatMap(([, path, rights]) =>
      path !== undefined && rights?.includes('r') === true ? [path] : [],
    ),
  );
}
