import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/** A key of its own, in a home of its own, that is gone after the test file. */
export interface SigningKey {
  readonly fingerprint: string;
  /** The public key, binary and armored. */
  readonly binary: Buffer;
  readonly armored: string;
  detachedSignature(content: string | Buffer): Promise<Buffer>;
  clearSigned(content: string): Promise<string>;
  dispose(): Promise<void>;
}

export async function makeSigningKey(owner: string): Promise<SigningKey> {
  // Short: the agent's socket lies in it.
  const home = await mkdtemp(join(tmpdir(), 'lgpg-'));
  const gpg = async (...args: readonly string[]) =>
    await execa('gpg', ['--batch', '--quiet', '--homedir', home, ...args], {
      encoding: 'buffer',
      stripFinalNewline: false,
    });
  await gpg('--passphrase', '', '--quick-generate-key', owner, 'ed25519', 'sign', 'never');
  const listing = Buffer.from((await gpg('--list-keys', '--with-colons')).stdout).toString();
  const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(listing)?.[1] ?? '';
  const sign = async (content: string | Buffer, how: string): Promise<Buffer> => {
    const file = join(home, 'content');
    await writeFile(file, content);
    await rm(`${file}.out`, { force: true });
    await gpg('--output', `${file}.out`, how, file);
    return await readFile(`${file}.out`);
  };
  return {
    fingerprint,
    binary: Buffer.from((await gpg('--export')).stdout),
    armored: Buffer.from((await gpg('--armor', '--export')).stdout).toString(),
    detachedSignature: (content) => sign(content, '--detach-sign'),
    clearSigned: async (content) => (await sign(content, '--clear-sign')).toString(),
    dispose: async () => {
      await execa('gpgconf', ['--homedir', home, '--kill', 'all'], { reject: false });
      await rm(home, { recursive: true, force: true });
    },
  };
}
