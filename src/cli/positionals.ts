/** How an instance is named, wherever one is. */
export const instancePositional = {
  instance: {
    type: 'string',
    demandOption: true,
    describe: 'domain name, name if it is unique, or start of the uuid',
  },
} as const;

export const instancesPositional = {
  instances: {
    type: 'string',
    array: true,
    describe: 'domain names, names, or starts of uuids',
  },
} as const;

export const imagePositional = {
  image: { type: 'string', demandOption: true, describe: 'id, name if it is unique, or start of the id' },
} as const;
