import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { renderDomain } from '../../../src/domain/render-domain.js';
import { goldenDirectory, listGoldenCases } from './domain-cases.js';

// A golden that is missing fails; only this writes one, and the difference is then for a person to read.
const update = process.env['UPDATE_GOLDEN'] === '1';

describe('golden domain XML', () => {
  const cases = listGoldenCases();

  it.each(cases)('$name', ({ name, templateXml, spec }) => {
    const file = new URL(`${name}.xml`, goldenDirectory);
    const rendered = renderDomain(templateXml, spec);
    if (update) writeFileSync(file, rendered);
    expect(rendered).toBe(readFileSync(file, 'utf8'));
  });

  it('has no golden that no case makes', () => {
    expect(readdirSync(goldenDirectory).sort()).toEqual(cases.map(({ name }) => `${name}.xml`).sort());
  });
});
