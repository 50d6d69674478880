import { LaunchError } from '../../host/launch-error.js';
import { readYaml } from './read-yaml.js';

/**
 * Looks at a file in cloud-init's network configuration, version 1 or 2.
 *
 * @throws LaunchError ARGUMENT_INVALID
 */
export function checkNetworkConfig(text: string, name: string): string {
  const top: unknown = readYaml(text, name).toJS();
  // Written for netplan, everything lies below a key.
  const config = isRecord(top) && isRecord(top['network']) ? top['network'] : top;
  if (!isRecord(config)) throw invalid(name, 'it is no mapping of keys to values');
  switch (config['version']) {
    case 1:
      if (config['config'] === 'disabled' || Array.isArray(config['config'])) return text;
      throw invalid(name, 'version 1 needs a list "config"');
    case 2:
      if (Object.values(config).every((value) => typeof value !== 'object' || isRecord(value))) return text;
      throw invalid(name, 'in version 2 "ethernets", "bonds" and the like map names to settings');
    default:
      throw invalid(name, 'its "version" is neither 1 nor 2');
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(name: string, reason: string): LaunchError {
  return new LaunchError('ARGUMENT_INVALID', `${name} is no network configuration of cloud-init: ${reason}`, {
    hint: 'for example:  {version: 2, ethernets: {eth0: {match: {name: "e*"}, addresses: [10.0.0.2/24]}}}',
  });
}
