// A part of the run: one table of EXPECTED.md, its rows judged for one release at a time.
import type { Release, ReleaseName } from './release.ts';
import type { Finding } from './verdict.ts';

export interface Context {
  /** Small counts, for looking: nothing to compare with EXPECTED.md. */
  readonly quick: boolean;
  /** Of a part that tells what issues to come make possible, that alone. */
  readonly later: boolean;
  /** Texts that are committed are written, not compared. */
  readonly update: boolean;
  /** A line about the progress of the run. */
  say(line: string): void;
}

export interface Result {
  /** The row's name: unique in its part, the same in every run. */
  readonly row: string;
  readonly release: ReleaseName;
  readonly finding: Finding;
}

export interface Part {
  /** One word, for `--only`. */
  readonly name: string;
  /** What the table shows, in a few plain lines: they stand above it in EXPECTED.md. */
  readonly about: string;
  /** Judges every row for a release, on gateways and home directories of its own, all of them gone at its end. */
  run(release: Release, context: Context): Promise<readonly Result[]>;
}
