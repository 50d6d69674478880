import { describe, expect, it } from 'vitest';

import type { DomainInterface, DomainSpec } from '../../../src/domain/domain-spec.js';
import { parseDomain } from '../../../src/domain/parse-domain.js';
import { renderDomain } from '../../../src/domain/render-domain.js';
import { createRandom } from '../../support/random.js';
import { describeSpec } from './describe-spec.js';
import { listGoldenCases, readTemplateXml, templateNames } from './domain-cases.js';

describe('parseDomain(renderDomain(template, spec))', () => {
  it.each(listGoldenCases())('gives back the spec of $name', ({ templateXml, spec }) => {
    expect(parseDomain(renderDomain(templateXml, spec))).toMatchObject(describeSpec(spec));
  });

  it('gives back any spec', () => {
    const templates = templateNames.map(readTemplateXml);
    for (let seed = 1; seed <= 300; seed++) {
      const random = createRandom(seed);
      const spec = randomSpec(random);
      const description = parseDomain(renderDomain(pick(random, templates), spec));
      expect(description, `seed ${seed}`).toMatchObject(describeSpec(spec));
    }
  });
});

type Random = () => number;

function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)] as T;
}

const fragments = [
  ...['a', 'Z', '0', ' ', '<', '>', '&', '"', "'", ']]>', '<!--', '-->', '&amp;', '&lt;', '&#10;', '&#x41;'],
  ...['%s', '{{x}}', '${x}', '$&', '@', '#', '?', 'é', '名', '😀', '\u202e', '\u00a0', '\u200b', '\\', '/'],
];

function randomText(random: Random): string {
  return Array.from({ length: 1 + Math.floor(random() * 12) }, () => pick(random, fragments)).join('');
}

function randomInterface(random: Random): DomainInterface {
  const common = { macAddress: randomText(random), model: pick(random, [null, 'e1000', 'virtio']) };
  const forwards = [{ protocol: 'tcp' as const, hostAddress: '127.0.0.1', hostPort: 22012, guestPort: 22 }];
  return pick<DomainInterface>(random, [
    { kind: 'network', network: randomText(random), ...common, address: null },
    { kind: 'bridge', bridge: randomText(random), ...common },
    { kind: 'user', ...common, forwards },
  ]);
}

function randomSpec(random: Random): DomainSpec {
  const text = (): string => randomText(random);
  return {
    name: text(),
    uuid: text(),
    virtType: pick(random, ['kvm', 'qemu']),
    cpuMode: pick(random, ['host-passthrough', 'host-model', 'maximum', 'default']),
    memoryMib: 1 + Math.floor(random() * 2 ** 20),
    vcpus: 1 + Math.floor(random() * 255),
    machineType: pick(random, [undefined, 'pc-i440fx-7.2', text()]),
    rootDisk: {
      path: `/${text()}`,
      driverType: pick(random, ['qcow2', 'raw']),
      cacheMode: pick(random, ['none', 'writeback']),
    },
    interfaces: Array.from({ length: Math.floor(random() * 4) }, () => randomInterface(random)),
    seed: pick(random, [
      undefined,
      { path: `/${text()}`, kind: pick(random, ['nocloud', 'config-drive']), needsNetwork: random() < 0.5 },
    ]),
    consoleLogPath: `/${text()}`,
    metadata: {
      displayName: text(),
      flavorName: text(),
      imageId: text(),
      imageName: text(),
      createdAt: text(),
      launchVersion: text(),
    },
  };
}
