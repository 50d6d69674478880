import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { ensureBase } from '../../src/disk/ensure-base.js';
import { LaunchError } from '../../src/host/launch-error.js';
import { asMaker } from '../../src/host/maker.js';
import type { WorkEvent } from '../../src/host/work.js';
import { getImage } from '../../src/image/image-store.js';
import { ensureImage } from '../../src/instance/images/catalogue-verbs.js';
import { clearLeftovers } from '../../src/instance/clear-leftovers.js';
import { importImageFile } from '../../src/instance/images/image-verbs.js';
import { prefetchBases } from '../../src/instance/bases/prefetch-base.js';
import { pruneBases } from '../../src/instance/bases/prune-bases.js';
import { openHost } from '../../src/instance/open-host.js';
import type { DiskFormat } from '../../src/qemu-img/disk-format.js';

/** What a process of its own is to do; see child-process.ts. */
export type ChildVerb =
  | { readonly verb: 'import'; readonly path: string; readonly name: string }
  /** The code of each refusal, or `imported`. */
  | { readonly verb: 'import-each'; readonly listPath: string }
  | { readonly verb: 'ensure-image'; readonly image: string }
  | { readonly verb: 'ensure-base'; readonly image: string; readonly diskGib: number }
  | { readonly verb: 'prefetch'; readonly image: string; readonly flavor: string }
  | { readonly verb: 'prune' }
  /** Begins and ends, as every command does, and has nothing to do. */
  | { readonly verb: 'nothing'; readonly times: number };

/** One file of the list that `import-each` reads. */
export interface StrangerFile {
  readonly path: string;
  readonly format?: DiskFormat | undefined;
}

export type ChildMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'event'; readonly event: WorkEvent }
  | { readonly type: 'done'; readonly result: unknown }
  | { readonly type: 'failed'; readonly error: string };

async function tell(message: ChildMessage): Promise<void> {
  await new Promise<void>((resolve) => {
    process.send?.(message, () => {
      resolve();
    });
  });
}

async function carryOut(home: string, child: ChildVerb): Promise<unknown> {
  // No libvirt: these verbs ask it nothing, unless an instance was left half made.
  const host = openHost({ home, connect: 'test:///default' });
  const work = {
    onEvent: (event: WorkEvent) => {
      process.send?.({ type: 'event', event } satisfies ChildMessage);
    },
  };
  switch (child.verb) {
    case 'import':
      return await importImageFile(host, { source: { path: child.path }, name: child.name }, work);
    case 'import-each': {
      const list = JSON.parse(await readFile(child.listPath, 'utf8')) as readonly StrangerFile[];
      const outcomes: string[] = [];
      for (const { path, format } of list) {
        outcomes.push(
          await importImageFile(host, { source: { path }, name: 'stranger', format }).then(
            () => 'imported',
            (error: unknown) => {
              if (error instanceof LaunchError) return error.code;
              throw error;
            },
          ),
        );
      }
      return outcomes;
    }
    case 'nothing':
      for (let time = 0; time < child.times; time += 1) {
        await clearLeftovers(host);
        await asMaker(host.home, () => Promise.resolve());
      }
      return child.times;
    case 'prefetch':
      return (await prefetchBases(host, { image: child.image, flavors: [child.flavor] }, work))[0];
    case 'prune': {
      const rule = { olderThanMs: 0, keepFreeBytes: undefined, dryRun: false };
      return (await pruneBases(host, rule, work)).removedBytes;
    }
    case 'ensure-image':
      return await ensureImage(host, child.image, work);
    case 'ensure-base': {
      await clearLeftovers(host);
      const image = await getImage(host.home, child.image);
      const ensured = await asMaker(host.home, (maker) =>
        ensureBase(host.home, image, child.diskGib, host.qemuImg, {
          maker,
          now: host.now(),
          work,
          onProgress: (message, doneBytes = 0) => {
            work.onEvent({ type: 'step-progress', step: 'base', message, doneBytes });
          },
        }),
      );
      await ensured.lock.release();
      return { origin: ensured.origin, digest: ensured.base.digest };
    }
  }
}

// All children begin at the same moment: when their parent says so.
const [home = '', verb = ''] = process.argv.slice(2);
await tell({ type: 'ready' });
await once(process, 'message');
try {
  await tell({ type: 'done', result: await carryOut(home, JSON.parse(verb) as ChildVerb) });
} catch (error) {
  await tell({
    type: 'failed',
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
}
process.disconnect();
