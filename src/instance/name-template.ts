import { LaunchError } from '../host/launch-error.js';

/** How domains are called, as Nova's instance_name_template: `instance-%08x`. */
export interface NameTemplate {
  render(number: number): string;
  /** The number in a name that this template made, or undefined. */
  parse(name: string): number | undefined;
}

/** @throws LaunchError ARGUMENT_INVALID */
export function parseNameTemplate(template: string): NameTemplate {
  const found = /^([A-Za-z0-9][A-Za-z0-9._-]*-)%08x$/.exec(template);
  const prefix = found?.[1];
  if (prefix === undefined || prefix.length > 60) {
    throw new LaunchError(
      'ARGUMENT_INVALID',
      `the instance name template ${JSON.stringify(template)} is not letters, digits and "-" before "-%08x"`,
      { hint: 'for example:  LAUNCH_INSTANCE_NAME_TEMPLATE=instance-%08x' },
    );
  }
  return {
    render: (number) => `${prefix}${number.toString(16).padStart(8, '0')}`,
    parse: (name) => {
      const digits = name.startsWith(prefix) ? name.slice(prefix.length) : '';
      return /^[0-9a-f]{8}$/.test(digits) ? Number.parseInt(digits, 16) : undefined;
    },
  };
}
