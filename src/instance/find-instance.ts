import { LaunchError } from '../host/launch-error.js';
import { listInstanceRecords, type DamagedInstance, type InstanceRecord } from './instance-record.js';
import type { Host } from './open-host.js';

export type FoundInstance =
  | { readonly kind: 'record'; readonly record: InstanceRecord }
  | { readonly kind: 'damaged'; readonly damaged: DamagedInstance };

/**
 * The instance of this domain name, of this display name if only one has it, or whose uuid starts so.
 *
 * @throws LaunchError INSTANCE_AMBIGUOUS
 */
export async function findInstance(host: Host, reference: string): Promise<FoundInstance | undefined> {
  const { records, damaged } = await listInstanceRecords(host.home);
  const broken = damaged.find((instance) => instance.domainName === reference);
  if (broken !== undefined) return { kind: 'damaged', damaged: broken };
  const steps: readonly ((record: InstanceRecord) => boolean)[] = [
    (record) => record.domainName === reference,
    (record) => record.displayName === reference,
    (record) => isStartOfUuid(reference, record.uuid),
  ];
  for (const step of steps) {
    const [first, ...others] = records.filter(step);
    if (first === undefined) continue;
    if (others.length > 0) throw ambiguous(reference, [first, ...others]);
    return { kind: 'record', record: first };
  }
  return undefined;
}

/** @throws LaunchError INSTANCE_NOT_FOUND, INSTANCE_AMBIGUOUS, RECORD_INVALID */
export async function getInstance(host: Host, reference: string): Promise<InstanceRecord> {
  const found = await findInstance(host, reference);
  if (found?.kind === 'record') return found.record;
  if (found?.kind === 'damaged') {
    throw new LaunchError('RECORD_INVALID', `cannot use ${reference}: ${found.damaged.problem}`, {
      hint: `all that can be done with it is:  launch delete ${reference}`,
    });
  }
  throw await instanceNotFound(host, reference);
}

export async function instanceNotFound(host: Host, reference: string): Promise<LaunchError> {
  const { records, damaged } = await listInstanceRecords(host.home);
  // A damaged one has lost its own name.
  const names = [
    ...records.map((record) => record.displayName),
    ...damaged.map(({ domainName }) => `${domainName} (damaged)`),
  ];
  return new LaunchError('INSTANCE_NOT_FOUND', `there is no instance ${JSON.stringify(reference)}`, {
    hint:
      names.length === 0
        ? 'there are none yet:  launch IMAGE'
        : `there are: ${names.join(', ')}   (launch list)`,
  });
}

function isStartOfUuid(reference: string, uuid: string): boolean {
  // Shorter ones are too easily hit by a mistyped name.
  return reference.length >= 4 && uuid.startsWith(reference.toLowerCase());
}

function ambiguous(reference: string, found: readonly InstanceRecord[]): LaunchError {
  return new LaunchError(
    'INSTANCE_AMBIGUOUS',
    `there are ${found.length} instances called ${JSON.stringify(reference)}`,
    {
      hint: [
        'name one by its domain or its uuid:',
        ...found.map((record) => `  ${record.domainName}  ${record.uuid}`),
      ].join('\n'),
      details: { domainNames: found.map((record) => record.domainName) },
    },
  );
}
