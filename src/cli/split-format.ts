/**
 * `launch image import --format qcow2` and `launch image export --format box` mean the disk's format, as in
 * Glance; table and json are how to print.
 */
export function splitFormat<Format extends string>(
  values: readonly string[],
  isFormat: (text: string) => text is Format,
): {
  readonly output: 'table' | 'json';
  readonly disk: Format | undefined;
  /** Neither the one nor the other. */
  readonly unknown: string | undefined;
} {
  return {
    output: values.includes('json') ? 'json' : 'table',
    disk: values.filter(isFormat).at(-1),
    unknown: values.find((value) => !isFormat(value) && value !== 'json' && value !== 'table'),
  };
}
