import type { Clock } from '../system/clock.ts';

/** How well the event loop keeps up, in the shape that OpenClaw's clients read. Times in milliseconds. */
export interface LoopFacts {
  readonly degraded: boolean;
  readonly degradedSinceMs: number | null;
  readonly reasons: readonly string[];
  readonly intervalMs: number;
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
  /** Share of the last interval in which the loop was busy, 0 to 1. */
  readonly utilization: number;
  /** CPU time of the process over the last interval, in cores. */
  readonly cpuCoreRatio: number;
}

export const PULSE_MS = 1_000;
/** Delays that are remembered: the last minute. */
const SAMPLES = 60;
const DEGRADED_MS = 1_000;

/** Measures by how much a timer of one second is late. Beats with the process, costs next to nothing. */
export class Pulse {
  #delays: number[] = [];
  #last: number;
  #elu = performance.eventLoopUtilization();
  #cpu = process.cpuUsage();
  #utilization = 0;
  #cores = 0;
  #degradedSince: number | null = null;
  #facts: LoopFacts = this.#measured(0);

  constructor(nowMs: number) {
    this.#last = nowMs;
  }

  beat(nowMs: number): void {
    const passed = Math.max(nowMs - this.#last, 1);
    const delay = Math.max(0, passed - PULSE_MS);
    this.#last = nowMs;
    this.#delays = [...this.#delays.slice(1 - SAMPLES), delay];
    this.#degradedSince = delay < DEGRADED_MS ? null : (this.#degradedSince ?? nowMs);
    const elu = performance.eventLoopUtilization();
    this.#utilization = performance.eventLoopUtilization(elu, this.#elu).utilization;
    this.#elu = elu;
    const spent = process.cpuUsage(this.#cpu);
    this.#cpu = process.cpuUsage();
    this.#cores = (spent.user + spent.system) / 1_000 / passed;
    this.#facts = this.#measured(nowMs);
  }

  /** As of the last beat: asked with every `health`, so nothing is computed here. */
  get facts(): LoopFacts {
    return this.#facts;
  }

  #measured(nowMs: number): LoopFacts {
    const sorted = [...this.#delays].sort((a, b) => a - b);
    const at = (share: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
    const since = this.#degradedSince;
    return {
      degraded: since !== null,
      degradedSinceMs: since === null ? null : Math.round(nowMs - since),
      reasons: since === null ? [] : ['event_loop_delay'],
      intervalMs: PULSE_MS,
      delayP99Ms: at(0.99),
      delayMaxMs: at(1),
      utilization: round(this.#utilization),
      cpuCoreRatio: round(this.#cores),
    };
  }
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

/** Runs it again and again, for the first time after `periodMs`. @returns what ends that */
export function every(clock: Pick<Clock, 'after'>, periodMs: number, run: () => void): () => void {
  let cancel = () => {};
  const again = () => {
    cancel = clock.after(periodMs, () => {
      again();
      run();
    });
  };
  again();
  return () => cancel();
}
