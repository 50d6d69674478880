import type { Work } from '../../src/host/work.js';
import { prefetchBases, type PrefetchedBase } from '../../src/instance/bases/prefetch-base.js';
import type { Host } from '../../src/instance/open-host.js';

/** The base of an image for one flavor. */
export async function prefetchBase(
  host: Host,
  { image, flavor }: { readonly image: string; readonly flavor: string },
  work: Work = {},
): Promise<PrefetchedBase> {
  const [made] = await prefetchBases(host, { image, flavors: [flavor] }, work);
  if (made === undefined) throw new Error('nothing was prefetched');
  return made;
}
