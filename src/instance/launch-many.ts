import { readHostCapacity, type HostCapacity } from '../host/host-capacity.js';
import { LaunchError } from '../host/launch-error.js';
import { interruptedError, type Work, type WorkEvent } from '../host/work.js';
import { ensureImage } from './images/catalogue-verbs.js';
import { deleteInstance } from './delete-instance.js';
import { draftLaunch } from './launch-draft.js';
import { launchInstance, type LaunchedInstance } from './launch-instance.js';
import type { Host } from './open-host.js';
import type { LaunchRequest } from './plan-launch.js';
import { checkManyAlike, nameOfMany, planMany } from './plan-many.js';

export interface ManyOptions {
  readonly count: number;
  /** How many to launch at a time; by default what the host's processors bear. */
  readonly parallel?: number | undefined;
  /** true: when one fails, none is left. */
  readonly atomic?: boolean | undefined;
  /** Launches guests that together have more memory than the host has free. */
  readonly overcommit?: boolean | undefined;
  /** By default read from the host. */
  readonly capacity?: HostCapacity | undefined;
}

export interface FailedLaunch {
  /** Its number among the many, from 1. */
  readonly number: number;
  readonly name: string | undefined;
  readonly error: LaunchError;
}

export interface LaunchedMany {
  readonly launched: readonly LaunchedInstance[];
  readonly failed: readonly FailedLaunch[];
}

/**
 * Launches the same image several times, as many at a time as the host bears. `%d` in the request's name
 * is each one's number. One that fails takes nothing of the others with it, unless `atomic` says so.
 *
 * @throws LaunchError MEMORY_SHORT, and whatever refuses all of them alike, before anything is made;
 * INTERRUPTED: what is being launched is undone, what was launched stays (with `atomic` it goes too)
 */
export async function launchMany(
  host: Host,
  request: LaunchRequest,
  options: ManyOptions,
  work: Work = {},
): Promise<LaunchedMany> {
  checkManyAlike(request, options.count);
  const image = await ensureImage(host, request.image, work);
  const one = { ...request, image: image.id };
  // One plan shows what would refuse all of them.
  const draft = await draftLaunch(host, nthRequest(one, 1), withoutNotices(work), async () => image);
  const { virtType, flavor } = draft.plan(host.nameTemplate.render(0));
  const parallel = planMany({
    ...{ count: options.count, parallel: options.parallel, overcommit: options.overcommit ?? false },
    ...{ memoryMib: flavor.memoryMib, virtType },
    capacity: options.capacity ?? (await readHostCapacity()),
  });
  if (parallel < options.count) {
    work.onEvent?.({ type: 'notice', message: `launching ${options.count} guests, ${parallel} at a time` });
  }
  return await runAll(host, one, { count: options.count, parallel, atomic: options.atomic ?? false }, work);
}

interface Running {
  readonly count: number;
  readonly parallel: number;
  readonly atomic: boolean;
}

async function runAll(
  host: Host,
  request: LaunchRequest,
  { count, parallel, atomic }: Running,
  work: Work,
): Promise<LaunchedMany> {
  const giveUp = new AbortController();
  const signal = work.signal === undefined ? giveUp.signal : AbortSignal.any([work.signal, giveUp.signal]);
  const launched: { readonly number: number; readonly instance: LaunchedInstance }[] = [];
  const failed: FailedLaunch[] = [];
  const tell = onceEach(work);
  let next = 1;
  const launchNext = async (): Promise<void> => {
    while (next <= count && !signal.aborted) {
      const number = next;
      next += 1;
      const one = nthRequest(request, number);
      const line = new Line(one.name ?? `${number} of ${count}`, tell);
      try {
        const instance = await launchInstance(host, one, { signal, onEvent: line.onEvent });
        launched.push({ number, instance });
        line.done(instance.instance.domainName);
      } catch (error) {
        if (!(error instanceof LaunchError)) throw error;
        // Those that end because another failed have not failed themselves.
        const undone = error.code === 'INTERRUPTED';
        line.failed(undone ? 'taken back' : error.message);
        if (undone) continue;
        failed.push({ number, name: one.name, error });
        if (atomic) giveUp.abort();
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: parallel }, launchNext));
  const inOrder = launched.sort((a, b) => a.number - b.number).map(({ instance }) => instance);
  const bug = ended.find((end) => end.status === 'rejected');
  if (atomic && inOrder.length < count) await deleteAll(host, inOrder, work);
  if (bug !== undefined) throw bug.reason;
  if (work.signal?.aborted === true) throw interrupted(work.signal, inOrder, atomic);
  return {
    launched: atomic && failed.length > 0 ? [] : inOrder,
    failed: failed.sort((a, b) => a.number - b.number),
  };
}

async function deleteAll(host: Host, launched: readonly LaunchedInstance[], work: Work): Promise<void> {
  // Without the signal: what is taken back is taken back to the end.
  const quietly: Work = { onEvent: onceEach(work) };
  for (const { instance } of launched) await deleteInstance(host, instance.domainName, quietly);
}

function interrupted(
  signal: AbortSignal,
  launched: readonly LaunchedInstance[],
  atomic: boolean,
): LaunchError {
  const error = interruptedError(signal);
  if (atomic || launched.length === 0) return error;
  const names = launched.map(({ instance }) => instance.domainName);
  return new LaunchError('INTERRUPTED', `interrupted: ${names.length} were launched and stay`, {
    hint: `remove them:  launch delete ${names.join(' ')}`,
    cause: error.cause,
    details: { domainNames: names },
  });
}

function nthRequest(request: LaunchRequest, number: number): LaunchRequest {
  return { ...request, name: nameOfMany(request.name, number) };
}

/** The steps of one launch as the progress of a single line. */
class Line {
  readonly #name: string;
  readonly #tell: (event: WorkEvent) => void;
  #started = false;
  #last = '';

  constructor(name: string, tell: (event: WorkEvent) => void) {
    this.#name = name;
    this.#tell = tell;
  }

  readonly onEvent = (event: WorkEvent): void => {
    switch (event.type) {
      case 'step-started':
      case 'step-progress':
        this.#show(event, `${event.step}: ${event.message}`);
        break;
      case 'step-done':
        this.#last = `${event.step} ${event.message}`;
        break;
      case 'step-failed':
        break;
      case 'notice':
      case 'span':
        this.#tell(event);
        break;
    }
  };

  done(domainName: string): void {
    this.#tell({ type: 'step-done', step: this.#name, message: `${domainName}, ${this.#last}` });
  }

  failed(message: string): void {
    this.#tell({ type: 'step-failed', step: this.#name, message });
  }

  #show(event: WorkEvent & { readonly type: 'step-started' | 'step-progress' }, message: string): void {
    if (!this.#started) this.#tell({ type: 'step-started', step: this.#name, message });
    this.#started = true;
    this.#tell({ ...event, type: 'step-progress', step: this.#name, message });
  }
}

/** Twenty launches have the same things to say; each is said once. */
function onceEach(work: Work): (event: WorkEvent) => void {
  const said = new Set<string>();
  return (event) => {
    if (event.type === 'notice') {
      if (said.has(event.message)) return;
      said.add(event.message);
    }
    work.onEvent?.(event);
  };
}

function withoutNotices(work: Work): Work {
  return work.signal === undefined ? {} : { signal: work.signal };
}
