import type { Place } from '../place.ts';
import type { Section } from '../report.ts';

export interface Extent {
  /** Fewer and shorter rounds: to see that it works, not to quote. */
  readonly isQuick: boolean;
}

export interface Figure {
  /** What `--only` takes. */
  readonly name: string;
  measure(place: Place, extent: Extent): Promise<Section>;
}
