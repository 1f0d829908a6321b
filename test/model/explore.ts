/**
 * Breadth-first exploration of every state that a system can reach, for anything whose transitions are pure.
 * A violation comes with a shortest trace, because states are met in the order of their distance.
 */
export interface System<S, E extends Edge<S>> {
  readonly name: string;
  readonly initial: S;
  readonly actions: readonly Action<S, E>[];
  /** Two states with the same key have the same future; what doesn't matter for that is left out. */
  key(state: S): string;
  /** The state that stands for all with this key; absent: the first that was met. */
  normal?(state: S): S;
  /** What is wrong in a state; `null`: nothing. Called once for each state. */
  inState(state: S): string | null;
  /** What is wrong with a transition; `null`: nothing. */
  onEdge(from: S, edge: E): string | null;
  /** A state for a person who reads a trace. */
  render(state: S): string;
}

export interface Edge<S> {
  readonly to: S;
}

export interface Action<S, E extends Edge<S>> {
  readonly name: string;
  /** `null`: it can't be done in this state. The same state as before: it changes nothing. */
  run(state: S): E | null;
}

export interface Explored {
  readonly name: string;
  readonly states: number;
  readonly transitions: number;
  /** Steps from the initial state to the farthest. */
  readonly depth: number;
  readonly violation: Violation | null;
  /** True when `limit` ended it. */
  readonly isCut: boolean;
}

export interface Violation {
  readonly text: string;
  /** The shortest way there: the actions' names, with the state after each. */
  readonly trace: readonly string[];
}

/** Ends at the first violation, or once `limit` states were met. */
export function explore<S, E extends Edge<S>>(system: System<S, E>, limit = Number.POSITIVE_INFINITY): Explored {
  const states: S[] = [system.initial];
  const parent: number[] = [-1];
  const via: number[] = [-1];
  const depth: number[] = [0];
  const met = new Set<string>([system.key(system.initial)]);
  let transitions = 0;

  const way = (index: number): string[] => {
    const steps: string[] = [];
    for (let i = index; i > 0; i = parent[i] as number) {
      steps.push(`${system.actions[via[i] as number]?.name}  →  ${system.render(states[i] as S)}`);
    }
    return steps.reverse();
  };
  const end = (violation: Violation | null, isCut = false): Explored => ({
    name: system.name,
    states: states.length,
    transitions,
    depth: depth[depth.length - 1] as number,
    violation,
    isCut,
  });

  const wrong = system.inState(system.initial);
  if (wrong !== null) return end({ text: wrong, trace: [] });
  for (let here = 0; here < states.length; here++) {
    const from = states[here] as S;
    for (let a = 0; a < system.actions.length; a++) {
      const action = system.actions[a] as Action<S, E>;
      const edge = action.run(from);
      if (edge === null) continue;
      transitions++;
      const trace = () => [...way(here), `${action.name}  →  ${system.render(edge.to)}`];
      const wrongEdge = system.onEdge(from, edge);
      if (wrongEdge !== null) return end({ text: wrongEdge, trace: trace() });
      if (edge.to === from) continue;
      const key = system.key(edge.to);
      if (met.has(key)) continue;
      const wrongState = system.inState(edge.to);
      if (wrongState !== null) return end({ text: wrongState, trace: trace() });
      met.add(key);
      states.push(system.normal?.(edge.to) ?? edge.to);
      parent.push(here);
      via.push(a);
      depth.push((depth[here] as number) + 1);
      if (states.length >= limit) return end(null, true);
    }
  }
  return end(null);
}

/** One line of figures: how much was looked at, and how long it took. */
export function figures(e: Explored, tookMs: number): string {
  const n = (x: number): string => x.toLocaleString('en-US');
  const rate = n(Math.round(e.transitions / Math.max(tookMs, 1)));
  return `${e.name}: ${n(e.states)} states, ${n(e.transitions)} transitions, depth ${e.depth}, ${n(Math.round(tookMs))} ms (${rate} transitions a ms)`;
}

/** A violation as it is printed when a test fails. */
export function report(e: Explored): string {
  if (e.violation === null) return `${e.name}: holds`;
  return [`${e.name}: ${e.violation.text}`, ...e.violation.trace.map((line, i) => `  ${i + 1}. ${line}`)].join('\n');
}
