import * as marks from './console-marks.js';
import { plainLine } from './plain-text.js';
import { isBefore, type Stage } from './stage.js';

/** What a serial console has told of a guest's boot; of the last one where there were several. */
export interface ConsoleStory {
  /** Whether anything was printed. */
  readonly spoke: boolean;
  /** The furthest stage that it shows; undefined while it shows none. */
  readonly stage: Stage | undefined;
  /** Boots that began, as far as the console shows it. */
  readonly boots: number;
  /** Firmware has started what lies on the disk. */
  readonly handedOver: boolean;
  readonly noBootDevice: string | undefined;
  readonly bootLoaderPrompt: boolean;
  readonly bootLoaderComplaints: readonly string[];
  /** Of this boot and those right before it: a guest that panics often reboots by itself. */
  readonly panics: readonly string[];
  /** The last panic is of the present boot: the guest has not come back from it. */
  readonly panicking: boolean;
  /** init or the initramfs gave up. */
  readonly emergency: string | undefined;
  readonly dhcpAsked: number;
  readonly loginPrompt: boolean;
  readonly sshFailed: string | undefined;
  readonly cloudInit: {
    /** The last part that began (`init-local`, `modules:final` …). */
    readonly running: string | undefined;
    readonly finished: string | undefined;
    readonly problems: readonly string[];
    readonly userDataUnreadable: readonly string[];
    readonly userDataFailed: readonly string[];
    /** What a script of the user-data printed last, before it failed. */
    readonly saidBefore: readonly string[];
  };
  /** The last lines with text, without escapes. */
  readonly lastLines: readonly string[];
}

type Open<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };
type Boot = Open<Omit<ConsoleStory, 'spoke' | 'boots' | 'panics' | 'lastLines' | 'cloudInit'>> & {
  cloudInit: Open<ConsoleStory['cloudInit']>;
};

/** No guest may make us keep, or search, more than this. */
const longestLine = 2000;
const mostKept = 20;
const lastLinesKept = 12;
const saidKept = 3;

/** Reads a console piece by piece. A piece may end anywhere, also within a line or a character's escape. */
export class ConsoleReader {
  #rest = '';
  #boots = 0;
  #panics: string[] = [];
  #lines: string[] = [];
  #boot = newBoot();
  #kernelBegan = false;
  #cloudInitSaid: string[] = [];

  /** @returns the stages that this piece shows first, in order */
  feed(text: string): readonly Stage[] {
    const lines = (this.#rest + text).split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? '').slice(-longestLine);
    const reached: Stage[] = [];
    for (const line of lines) this.#read(plainLine(line.slice(0, longestLine)), reached);
    // A prompt has no end of line.
    this.#notePrompts(plainLine(this.#rest));
    return reached;
  }

  story(): ConsoleStory {
    const rest = plainLine(this.#rest);
    const lines = rest === '' ? this.#lines : [...this.#lines, rest];
    return {
      ...structuredClone(this.#boot),
      spoke: lines.length > 0,
      boots: Math.max(this.#boots, lines.length > 0 ? 1 : 0),
      panics: [...this.#panics],
      lastLines: lines.slice(-lastLinesKept),
    };
  }

  #read(line: string, reached: Stage[]): void {
    if (line === '') return;
    this.#noteBoot(line);
    this.#lines.push(line);
    if (this.#lines.length > 4 * lastLinesKept) this.#lines = this.#lines.slice(-lastLinesKept);
    const stage = this.#noteStage(line);
    if (stage !== undefined) reached.push(stage);
    this.#notePrompts(line);
    this.#noteTrouble(line);
    this.#noteCloudInit(line);
  }

  #noteBoot(line: string): void {
    const kernelBegins = marks.bootMarks.kernel.test(line);
    const again = kernelBegins && this.#kernelBegan;
    if (kernelBegins) this.#kernelBegan = true;
    if (!again && !marks.bootMarks.firmware.test(line)) return;
    if (!again) this.#kernelBegan = false;
    // Panics count while one follows another; a boot that ended otherwise ends the row.
    if (!this.#boot.panicking) this.#panics = [];
    this.#boots += 1;
    this.#boot = newBoot();
  }

  #noteStage(line: string): Stage | undefined {
    let found: Stage | undefined;
    for (const { stage, pattern } of marks.stageMarks) {
      const { stage: known } = this.#boot;
      if ((known === undefined || isBefore(known, stage)) && pattern.test(line)) {
        // Firmware and boot loader have had their time once there is a kernel, whatever it prints.
        this.#boot.stage = stage;
        found = stage;
      }
    }
    return found;
  }

  #notePrompts(line: string): void {
    const boot = this.#boot;
    if (marks.loginPrompt.test(line)) boot.loginPrompt = true;
    if (this.#beforeKernel && marks.bootLoaderPrompt.test(line)) boot.bootLoaderPrompt = true;
    if (marks.emergency.test(line)) boot.emergency ??= line;
  }

  #noteTrouble(line: string): void {
    const boot = this.#boot;
    if (marks.handOver.test(line)) boot.handedOver = true;
    if (this.#beforeKernel) {
      if (marks.noBootDevice.test(line)) boot.noBootDevice = line;
      if (marks.bootLoaderComplaint.test(line)) keep(boot.bootLoaderComplaints, line);
    }
    if (marks.dhcpAsk.test(line)) boot.dhcpAsked += 1;
    if (marks.sshFailed.test(line)) boot.sshFailed ??= line;
    const panic = marks.panicEnd.test(line) ? undefined : marks.panicStart.exec(line)?.[0];
    if (panic !== undefined) {
      boot.panicking = true;
      if (this.#panics.length < mostKept) this.#panics.push(panic);
    }
  }

  #noteCloudInit(line: string): void {
    const { cloudInit } = this.#boot;
    const unit = marks.cloudInitUnit.exec(line)?.[1] ?? '';
    const began = marks.cloudInitRuns.exec(line)?.[2] ?? marks.cloudInitUnitParts[unit];
    cloudInit.running = began ?? cloudInit.running;
    cloudInit.finished = marks.cloudInitFinished.exec(line)?.[1] ?? cloudInit.finished;
    const unreadable = marks.userDataUnreadable.exec(line)?.[0];
    const failed = marks.userDataFailed.exec(line)?.[0];
    if (unreadable !== undefined) keep(cloudInit.userDataUnreadable, unreadable);
    if (failed !== undefined) {
      if (cloudInit.userDataFailed.length === 0) cloudInit.saidBefore = this.#cloudInitSaid;
      keep(cloudInit.userDataFailed, failed);
    }
    const said = marks.cloudInitSays.exec(line)?.[1];
    if (said !== undefined) this.#cloudInitSaid = [...this.#cloudInitSaid, said].slice(-saidKept);
    if (began !== undefined) this.#cloudInitSaid = [];
    const problem = marks.cloudInitProblem.exec(line)?.[0];
    if (problem !== undefined) keep(cloudInit.problems, problem);
  }

  get #beforeKernel(): boolean {
    const { stage } = this.#boot;
    return stage === undefined || isBefore(stage, 'kernel');
  }
}

/** What a log says of the last boot in it. */
export function sinceLastBoot(text: string): string {
  const firmware = text.lastIndexOf('SeaBIOS (version ');
  return text.slice(Math.max(0, firmware === -1 ? text.lastIndexOf('] Linux version ') : firmware));
}

/** The story of a whole log. */
export function readConsole(text: string): ConsoleStory {
  const reader = new ConsoleReader();
  reader.feed(text);
  return reader.story();
}

function keep(list: string[], line: string): void {
  if (list.length < mostKept && !list.includes(line)) list.push(line);
}

function newBoot(): Boot {
  return {
    stage: undefined,
    handedOver: false,
    noBootDevice: undefined,
    bootLoaderPrompt: false,
    bootLoaderComplaints: [],
    panicking: false,
    emergency: undefined,
    dhcpAsked: 0,
    loginPrompt: false,
    sshFailed: undefined,
    cloudInit: {
      running: undefined,
      finished: undefined,
      problems: [],
      userDataUnreadable: [],
      userDataFailed: [],
      saidBefore: [],
    },
  };
}
