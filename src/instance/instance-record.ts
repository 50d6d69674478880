import * as v from 'valibot';
import { listDirectory } from '../host/files.js';
import { LaunchError } from '../host/launch-error.js';
import { instancePaths, type HomePaths } from '../host/paths.js';
import { readRecord, wholeNumber } from '../host/record.js';
import { flavorSchema } from '../flavor/flavor.js';
import { diskFormats } from '../qemu-img/disk-format.js';
import { interfaceSchema } from './networks/interface-record.js';

/** What was asked for and what was made of it. What runs, only libvirt knows. */
const instanceRecordSchema = v.strictObject({
  number: wholeNumber,
  /** The domain's name, and the directory's. */
  domainName: v.string(),
  displayName: v.string(),
  /** The instance's and the domain's. */
  uuid: v.pipe(v.string(), v.uuid()),
  createdAt: v.string(),
  image: v.strictObject({
    id: v.string(),
    name: v.string(),
    format: v.picklist(diskFormats),
    sha256: v.string(),
  }),
  flavor: flavorSchema,
  template: v.string(),
  virtType: v.picklist(['kvm', 'qemu']),
  cpuMode: v.picklist(['host-passthrough', 'host-model', 'maximum', 'default']),
  /** Canonical (`pc-i440fx-7.2`), frozen when the domain was first defined; null before. */
  machineType: v.nullable(v.string()),
  disk: v.strictObject({
    format: v.picklist(['qcow2', 'raw']),
    virtualSizeBytes: wholeNumber,
    /** Name of the base it lies on; null for a raw copy. */
    base: v.nullable(v.string()),
    preallocation: v.nullable(v.picklist(['metadata', 'falloc', 'full'])),
  }),
  /** In the order in which the guest meets them. */
  interfaces: v.pipe(v.array(interfaceSchema), v.readonly()),
  /** What tells the guest who it is; null: nothing does. */
  seed: v.optional(
    v.nullable(
      v.strictObject({
        kind: v.picklist(['nocloud', 'config-drive']),
        hostname: v.string(),
        /** cloud-init reads the user-data when the network is up; otherwise before. */
        needsNetwork: v.boolean(),
      }),
    ),
    null,
  ),
  login: v.optional(
    v.strictObject({
      /** Null: not known. */
      user: v.nullable(v.string()),
      /** Absolute path of the private key to log in with; null: ssh's own choice. */
      identityFile: v.nullable(v.string()),
    }),
    { user: null, identityFile: null },
  ),
  /** When each piece of the launch began and how long it took (host/timings.ts). */
  timings: v.pipe(
    v.array(
      v.strictObject({
        name: v.string(),
        startMs: v.number(),
        lengthMs: v.number(),
        outcome: v.picklist(['done', 'failed', 'running']),
      }),
    ),
    v.readonly(),
  ),
  /** Token of the launch that is still at work (see host/maker.ts); null when it is done. */
  maker: v.nullable(v.string()),
});

export type InstanceRecord = Readonly<v.InferOutput<typeof instanceRecordSchema>>;

/** An instance whose record cannot be read: it is shown, and can be deleted by its domain's name. */
export interface DamagedInstance {
  readonly domainName: string;
  readonly problem: string;
}

export interface RecordListing {
  readonly records: readonly InstanceRecord[];
  readonly damaged: readonly DamagedInstance[];
}

/** All instances with a directory, by number. */
export async function listInstanceRecords(home: HomePaths): Promise<RecordListing> {
  const records: InstanceRecord[] = [];
  const damaged: DamagedInstance[] = [];
  const names = (await listDirectory(home.instances)).filter((name) => !/^[._]|^counter\.json$/.test(name));
  for (const domainName of names) {
    try {
      const record = readRecord(home.instance(domainName).record, instanceRecordSchema);
      if (record === undefined) damaged.push({ domainName, problem: 'its record is missing' });
      else if (record.domainName !== domainName)
        damaged.push({ domainName, problem: `its record is of ${record.domainName}` });
      else records.push(record);
    } catch (error) {
      if (!(error instanceof LaunchError)) throw error;
      damaged.push({ domainName, problem: error.message });
    }
  }
  records.sort((a, b) => a.number - b.number);
  damaged.sort((a, b) => a.domainName.localeCompare(b.domainName));
  return { records, damaged };
}

/** The record in an instance's directory, which may still have its temporary name. */
export async function findRecordIn(directory: string): Promise<InstanceRecord | undefined> {
  return readRecord(instancePaths(directory).record, instanceRecordSchema);
}
