import { join } from 'node:path';
import { fileExists, listDirectory } from './files.js';

const interfacesDirectory = '/sys/class/net';

/** Names of the kernel's bridges on this host. */
export async function listBridges(directory = interfacesDirectory): Promise<readonly string[]> {
  const names = await listDirectory(directory);
  const found = await Promise.all(
    names.map(async (name) => (fileExists(join(directory, name, 'bridge')) ? [name] : [])),
  );
  return found.flat().sort();
}
