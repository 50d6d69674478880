import * as v from 'valibot';

const common = { macAddress: v.string(), model: v.nullable(v.string()) };

const port = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(65_535));

/** The form of an interface in an instance's record; the words are those of domain/domain-spec.ts. */
export const interfaceSchema = v.variant('kind', [
  v.strictObject({
    kind: v.literal('network'),
    network: v.string(),
    ...common,
    address: v.nullable(v.string()),
  }),
  v.strictObject({ kind: v.literal('bridge'), bridge: v.string(), ...common }),
  v.strictObject({
    kind: v.literal('user'),
    ...common,
    forwards: v.pipe(
      v.array(
        v.strictObject({
          protocol: v.picklist(['tcp', 'udp']),
          hostAddress: v.string(),
          hostPort: port,
          guestPort: port,
        }),
      ),
      v.readonly(),
    ),
  }),
]);
