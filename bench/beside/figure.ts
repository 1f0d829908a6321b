import type { Release } from '../../test/interop/release.ts';
import type { Extent } from '../figure/figure.ts';
import type { Place } from '../place.ts';
import type { Row, Section } from './report.ts';

export interface PeerExtent extends Extent {
  /** In the order of `PEERS`. */
  readonly releases: readonly [Release, Release];
  /** A line about the progress of the run. */
  say(line: string): void;
}

export interface PeerFigure {
  /** What `--only` takes. */
  readonly name: string;
  measure(place: Place, extent: PeerExtent): Promise<Section>;
}

/** The two peers one after the other, in the order of `PEERS`. */
export async function eachOf<From, To>(
  [newer, older]: readonly [From, From],
  one: (from: From) => Promise<To>,
): Promise<readonly [To, To]> {
  return [await one(newer), await one(older)];
}

export type { Row, Section };
