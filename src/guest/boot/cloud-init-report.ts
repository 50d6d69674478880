import * as v from 'valibot';
import type { CloudInitReport } from '../autopsy/evidence.js';

/**
 * Prints what cloud-init says of itself, for any POSIX shell: the result, which is there once it has
 * finished, then the status. Both can be read by everybody. `absent` when the guest has no cloud-init.
 */
export const cloudInitScript = [
  'd=/run/cloud-init',
  'if [ -e $d/result.json ]; then cat $d/result.json; echo; echo ---; cat $d/status.json',
  'elif [ ! -e $d ] && ! command -v cloud-init >/dev/null 2>&1; then echo absent',
  'else echo running; fi',
].join('\n');

const resultSchema = v.object({ v1: v.object({ errors: v.optional(v.array(v.string()), []) }) });

/** status.json since 23.4: recoverable errors of each stage, by their severity. */
const stageSchema = v.object({
  recoverable_errors: v.optional(v.record(v.string(), v.array(v.string())), {}),
});

export type CloudInitAnswer =
  { readonly state: 'absent' | 'running' } | { readonly state: 'finished'; readonly report: CloudInitReport };

/** Reads what `cloudInitScript` printed; undefined when it makes no sense. */
export function parseCloudInitAnswer(text: string): CloudInitAnswer | undefined {
  const plain = text.trim();
  if (plain === 'absent' || plain === 'running') return { state: plain };
  const [resultText = '', statusText = ''] = plain.split(/^---$/m);
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), resultSchema), resultText);
  if (!result.success) return undefined;
  return {
    state: 'finished',
    report: { errors: result.output.v1.errors, recoverable: recoverableErrors(statusText) },
  };
}

function recoverableErrors(text: string): readonly string[] {
  const status = v.safeParse(
    v.pipe(v.string(), v.parseJson(), v.object({ v1: v.record(v.string(), v.unknown()) })),
    text,
  );
  if (!status.success) return [];
  return Object.values(status.output.v1).flatMap((stage) => {
    const parsed = v.safeParse(stageSchema, stage);
    // That something will be given up one day is no error.
    if (!parsed.success) return [];
    const serious = Object.entries(parsed.output.recoverable_errors).filter(
      ([kind]) => kind !== 'DEPRECATED',
    );
    return serious.flatMap(([, lines]) => lines);
  });
}
