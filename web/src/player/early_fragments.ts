/**
 * What comes before the Media Source is open, which in a tab that nobody looks at may be never: no more is kept than
 * live begins with.
 */
import type { Fragment, Init } from './ws_messages';

type Arrival = readonly [what: Init | Fragment, data: ArrayBuffer];

/** Ten seconds of a 4K camera; there are cameras that send a sync sample once in minutes. */
const MOST_BYTES = 32 * 1024 * 1024;

export class EarlyFragments {
  #arrivals: Arrival[] = [];
  #newestInit: readonly Arrival[] = [];
  #bytes = 0;

  add(what: Init | Fragment, data: ArrayBuffer): void {
    if (what.kind === 'init') this.#newestInit = [[what, data]];
    const isFull = this.#bytes + data.byteLength > MOST_BYTES; // then decoders wait for the next sync sample
    if (what.kind === 'fragment' && (what.independent || isFull)) {
      this.#arrivals = [...this.#newestInit];
      this.#bytes = 0;
    }
    this.#arrivals.push([what, data]);
    this.#bytes += data.byteLength;
  }

  /** All that is kept, in the order in which it came; none of it is kept any more. */
  take(): readonly Arrival[] {
    const arrivals = this.#arrivals;
    this.#arrivals = [];
    this.#newestInit = [];
    this.#bytes = 0;
    return arrivals;
  }
}
