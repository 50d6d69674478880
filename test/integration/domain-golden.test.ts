import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { DomainSpec } from '../../src/domain/domain-spec.js';
import { parseDomain } from '../../src/domain/parse-domain.js';
import { renderDomain } from '../../src/domain/render-domain.js';
import { describeSpec } from '../unit/domain/describe-spec.js';
import {
  goldenDirectory,
  listGoldenCases,
  plainSpec,
  readTemplateXml,
  templateNames,
  templatesDirectory,
} from '../unit/domain/domain-cases.js';

const directory = mkdtempSync(join(tmpdir(), 'launch-golden-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

/** A document of each kind that no golden shows, with the spec that it was made of. */
const rendered = [
  ['bare', '<domain><os><type>hvm</type></os></domain>', {}],
  ['host-model', readTemplateXml('linux'), { cpuMode: 'host-model' }],
  ['no-cpu', readTemplateXml('linux'), { cpuMode: 'default' }],
  ['topology-alone', readTemplateXml('windows'), { cpuMode: 'default', vcpus: 6 }],
  ['one-vcpu', readTemplateXml('windows'), { virtType: 'qemu', cpuMode: 'maximum', vcpus: 1 }],
] as const satisfies readonly [string, string, Partial<DomainSpec>][];

const documents = [
  ...listGoldenCases().map(({ name, spec }) => ({ name, spec, file: pathIn(goldenDirectory, name) })),
  ...rendered.map(([name, template, change], index) => {
    const spec: DomainSpec = { ...plainSpec('kvm', 100 + index), ...change };
    const file = join(directory, `${name}.xml`);
    writeFileSync(file, renderDomain(template, spec));
    return { name, spec, file };
  }),
];
const templates = templateNames.map((name) => ({ name, file: pathIn(templatesDirectory, name) }));
const invalid = join(directory, 'invalid.xml');

/**
 * All of them in one virsh, since starting it takes longer than all of them together; the domains of
 * test:///default live and end with its process. Without virsh this fails, as it should.
 */
async function defineAll(): Promise<{ stdout: string; stderr: string }> {
  writeFileSync(
    invalid,
    '<domain><name>a</name><memory>1</memory><os><type>hvm</type></os><cheese/></domain>',
  );
  const files = [...documents.map(({ file }) => file), ...templates.map(({ file }) => file), invalid];
  const commands = [
    ...files.map((file) => `define --validate "${file}"`),
    ...documents.map(({ spec }) => `dumpxml --inactive ${spec.uuid}`),
    'list --all',
  ];
  return promisify(execFile)('virsh', ['-c', 'test:///default', commands.join('; ')], {
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  });
}

describe('real libvirt', () => {
  let stdout = '';
  let stderr = '';
  let dumps: readonly string[] = [];
  beforeAll(async () => {
    ({ stdout, stderr } = await defineAll());
    dumps = stdout.match(/^<domain [^]*?^<\/domain>$/gm) ?? [];
  });

  it('refuses what its schema does not know, so that its consent means something', () => {
    expect(stderr).toContain(`Failed to define domain from ${invalid}`);
    expect(stdout).not.toContain(`defined from ${invalid}\n`);
  });

  it.each(templates)('takes the template $name as it stands', ({ file }) => {
    expect(stdout, stderr).toContain(`defined from ${file}\n`);
  });

  it.each(documents)('takes $name', ({ file }) => {
    expect(stdout, stderr).toContain(`defined from ${file}\n`);
  });

  it.each(documents)('writes $name with nothing lost', ({ spec }) => {
    const descriptions = dumps.map(parseDomain);
    // The test driver forgets what is for QEMU; hypervisor-contract.test.ts starts a domain with it.
    const interfaces = spec.interfaces.filter(({ kind }) => kind !== 'user');
    expect(descriptions.find(({ uuid }) => uuid === spec.uuid)).toMatchObject(
      describeSpec({ ...spec, interfaces }),
    );
  });
});

function pathIn(parent: URL, name: string): string {
  return fileURLToPath(new URL(`${name}.xml`, parent));
}
