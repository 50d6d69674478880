import type { Result } from './measure.js';

export interface BenchmarkOptions {
  /** Counted rounds; each benchmark has its own number by default. */
  readonly rounds: number | undefined;
  /** An empty directory for files, on the file system that is measured. */
  readonly directory: string;
  readonly signal: AbortSignal;
  /** Start of the names of domains; whatever is left under it is cleared afterwards. */
  readonly prefix: string;
  /** Says what is going on. */
  readonly say: (text: string) => void;
}

/** A table of one section: contenders down, measures across. */
export interface Comparison {
  /** Names the plot's file; unique in its benchmark. */
  readonly id: string;
  readonly title: string;
  /** What was measured, how often, and what to read out of it; Markdown. */
  readonly text: string;
  readonly reference: string;
  readonly measures: readonly Measure[];
  readonly results: readonly Result[];
}

interface Measure {
  readonly name: string;
  /** Of the values in a sample; ratios have none. */
  readonly unit: 's' | 'MiB';
}

/** One subject of docs/performance.md. */
export interface Benchmark {
  /** As on the command line, and in the page's markers. */
  readonly name: string;
  readonly title: string;
  /** It needs what not every host has. */
  readonly onlyByName?: boolean;
  run(options: BenchmarkOptions): Promise<readonly Comparison[]>;
}
