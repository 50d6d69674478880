export type YamlValue =
  string | number | boolean | readonly YamlValue[] | { readonly [key: string]: YamlValue };

/**
 * A YAML document that every version reads alike: strings are quoted, as JSON does it. Written here, since
 * every launch writes one and loading the library that can do more takes longer than the rest of the seed.
 */
export function writeYaml(value: Readonly<Record<string, YamlValue>>): string {
  return `${block(value, '').trimStart()}\n`;
}

function block(value: YamlValue, indent: string): string {
  if (isList(value)) {
    const items = value.map((item) => `\n${indent}- ${block(item, `${indent}  `).trimStart()}`);
    return items.length === 0 ? ' []' : items.join('');
  }
  if (typeof value !== 'object') return ` ${quote(value)}`;
  const pairs = Object.entries(value).map(
    ([key, inner]) => `\n${indent}${key}:${block(inner, `${indent}  `)}`,
  );
  return pairs.length === 0 ? ' {}' : pairs.join('');
}

function isList(value: YamlValue): value is readonly YamlValue[] {
  return Array.isArray(value);
}

/** JSON leaves characters as they are that PyYAML refuses (controls) or takes for line breaks. */
function quote(value: string | number | boolean): string {
  return JSON.stringify(value).replaceAll(/[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
