import { hostnameOf } from '../../guest/seed/hostname.js';

export type SeedKind = 'nocloud' | 'config-drive';

/** A file of this host that the guest shall have. */
export interface SeededFile {
  /** Path on this host. */
  readonly local: string;
  /** Absolute path in the guest. */
  readonly remote: string;
  /** Permissions in the guest; by default those of the file here. */
  readonly mode?: number | undefined;
}

/** What the guest shall be told of itself. */
export interface SeedRequest {
  /** `nocloud` by default; `none` tells it nothing, and then nothing else here can be asked for. */
  readonly kind?: SeedKind | 'none' | undefined;
  /** Files of public keys, or of private ones with their public ones beside them; `agent` for the agent's. */
  readonly keys?: readonly string[] | undefined;
  /** Files of user-data in any form that cloud-init takes. */
  readonly userData?: readonly string[] | undefined;
  /** A user to be made, who may do all by sudo. */
  readonly user?: string | undefined;
  readonly hostname?: string | undefined;
  /** Commands of a shell, run as root at the end of the first boot, in this order. */
  readonly run?: readonly string[] | undefined;
  readonly files?: readonly SeededFile[] | undefined;
  /** A file in cloud-init's network configuration, version 1 or 2. */
  readonly networkConfig?: string | undefined;
}

/** What of a seed the plan is made of. */
export interface SeedFacts {
  readonly kind: SeedKind;
  readonly needsNetwork: boolean;
  readonly hostname: string | undefined;
  readonly user: string | undefined;
  readonly identityFile: string | undefined;
}

export interface PlannedSeed {
  readonly kind: SeedKind;
  readonly hostname: string;
  /** cloud-init reads the user-data when the network is up; otherwise before. */
  readonly needsNetwork: boolean;
}

export function planSeed(
  facts: SeedFacts | undefined,
  displayName: string,
  domainName: string,
): PlannedSeed | undefined {
  if (facts === undefined) return undefined;
  const { kind, needsNetwork } = facts;
  return { kind, hostname: facts.hostname ?? hostnameOf(displayName, domainName), needsNetwork };
}
