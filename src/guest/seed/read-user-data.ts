import { gunzipSync } from 'node:zlib';
import { LaunchError } from '../../host/launch-error.js';
import { formatBytes } from '../../host/units.js';
import { readMultipart } from './mime.js';
import { readYaml } from './read-yaml.js';
import { maximumUserDataBytes, type UserData } from './user-data.js';
import { hintOfUnknown, userDataKind, type UserDataKind } from './user-data-kind.js';

/**
 * Looks at a file of user-data: its size, its kind, and where it is YAML or JSON its grammar. What is gzipped is
 * unpacked, as cloud-init would.
 *
 * @throws LaunchError ARGUMENT_INVALID
 */
export function readUserData(bytes: Buffer, name: string): UserData {
  const content = decode(bytes, name);
  const kind = userDataKind(content);
  if (kind === undefined) {
    throw new LaunchError('ARGUMENT_INVALID', `${name} is nothing that cloud-init takes as user-data`, {
      hint: hintOfUnknown(content),
    });
  }
  return { name, kind, content, configs: checkContent(content, kind, name) };
}

function decode(bytes: Buffer, name: string): string {
  const tooLarge = (sizeBytes: number) =>
    new LaunchError(
      'ARGUMENT_INVALID',
      `${name} is too large for user-data: ${formatBytes(sizeBytes)}, of at most ${formatBytes(maximumUserDataBytes)}`,
      {
        hint: 'let it fetch the rest (#include URL), or copy it once the guest is up:  launch cp',
        details: { sizeBytes, maximumBytes: maximumUserDataBytes },
      },
    );
  let plain = bytes;
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      plain = gunzipSync(bytes, { maxOutputLength: maximumUserDataBytes + 1 });
    } catch (cause) {
      if (cause instanceof RangeError) throw tooLarge(maximumUserDataBytes + 1);
      throw new LaunchError('ARGUMENT_INVALID', `${name} begins as gzip, and cannot be unpacked`, { cause });
    }
  }
  if (plain.length > maximumUserDataBytes) throw tooLarge(plain.length);
  try {
    // The decoder takes a byte order mark away, behind which cloud-init would not find the first line.
    return new TextDecoder('utf-8', { fatal: true }).decode(plain);
  } catch (cause) {
    throw new LaunchError('ARGUMENT_INVALID', `${name} is no text in UTF-8`, { cause });
  }
}

function checkContent(
  content: string,
  kind: UserDataKind,
  name: string,
): readonly Readonly<Record<string, unknown>>[] {
  switch (kind.kind) {
    case 'cloud-config':
      return [readCloudConfig(content, name)];
    case 'archive':
      if (!Array.isArray(readYaml(content, name).toJS())) throw notA('list', name);
      return [];
    case 'json-patch':
      checkJsonPatch(content, name);
      return [];
    case 'multipart':
      return readMultipart(content).flatMap((part, index) => {
        const partKind = userDataKind(part.content);
        const isConfig = part.type === 'text/cloud-config' || part.type === 'text/plain';
        if (!isConfig || partKind?.kind !== 'cloud-config') return [];
        return [readCloudConfig(part.content, `part ${index + 1} of ${name}`)];
      });
    case 'jinja':
    case 'script':
    case 'include':
    case 'boothook':
    case 'part-handler':
    case 'ignition':
    case 'cloudbase':
      return [];
  }
}

function readCloudConfig(content: string, name: string): Readonly<Record<string, unknown>> {
  const config: unknown = readYaml(content, name).toJS();
  if (typeof config === 'object' && config !== null && !Array.isArray(config)) {
    return config as Readonly<Record<string, unknown>>;
  }
  throw notA('mapping of keys to values', name);
}

function checkJsonPatch(content: string, name: string): void {
  try {
    JSON.parse(content.trimStart().slice('#cloud-config-jsonp'.length));
  } catch (cause) {
    throw new LaunchError('ARGUMENT_INVALID', `the JSON of ${name} is wrong`, { cause });
  }
}

function notA(form: string, name: string): LaunchError {
  return new LaunchError('ARGUMENT_INVALID', `the YAML of ${name} is no ${form}`);
}
