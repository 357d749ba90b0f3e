/**
 * Keeps a live picture as near to now as the connection allows. Pure: it is told what is and when, and says how fast
 * to play and where to.
 *
 * What counts is how much there is left to play at the moment the next fragment arrives, the spare. Its lowest value
 * of late is all that lies between the picture and a stall, and all that could be saved: play a little faster while
 * it is more than needed, a little slower while it is less. How much is needed shows when the picture stalls.
 */
const LEAST_SPARE_S = 0.08;
const MOST_SPARE_S = 0.8;
const SPARE_STEP_S = 0.08;
/** After so much time without a stall a little less is needed. */
const CALM_MS = 10_000;
/** While a page loads, much comes late that will not later. */
const SETTLED_AFTER = 4;
/** Near enough: nobody sees it, and the rate rests. */
const SLACK_S = 0.04;
const FASTEST = 1.1;
const SLOWEST = 0.95;
/** Share of what is too much that is played away in a second: at the fastest, until a tenth of a second is left. */
const HASTE_PER_S = 1;
const LOOKS_BACK_S = 6;
/** Further behind than a fragment, the spare and so much: no use in playing that away. */
const JUMP_BEYOND_S = 1.2;

export interface Sight {
  readonly monoMs: number;
  readonly positionS: number;
  /** What is buffered last of all: [startS, endS). */
  readonly startS: number;
  readonly endS: number;
}

export interface Pace {
  readonly rate: number;
  readonly jumpToS: number | null;
}

export class LivePace {
  #spares: number[] = [];
  #neededS = LEAST_SPARE_S;
  #changedMonoMs = -Infinity;
  #fragmentS = 0;
  #rate = 1;
  #seenMonoMs: number | null = null;

  get neededS(): number {
    return this.#neededS;
  }

  /** A fragment has come, when so much was left to play; null where nothing plays yet, or not for want of it. */
  arrived(durationS: number, spareS: number | null): void {
    this.#fragmentS = Math.max(durationS, this.#fragmentS * 0.9);
    if (spareS !== null) this.#keep(spareS);
  }

  #keep(spareS: number): void {
    this.#spares.push(Math.max(0, spareS));
    const kept = Math.min(40, Math.max(4, Math.ceil(LOOKS_BACK_S / Math.max(this.#fragmentS, 0.1))));
    if (this.#spares.length > kept) this.#spares.shift();
  }

  /** The picture stood for want of data, until now. */
  stalled(monoMs: number): void {
    if (this.#spares.length < SETTLED_AFTER) return;
    this.#neededS = Math.min(MOST_SPARE_S, this.#neededS + SPARE_STEP_S);
    this.#changedMonoMs = monoMs;
    this.#keep(0);
  }

  /** Where to begin, or to go on from, in what is buffered. */
  placeIn(startS: number, endS: number): number {
    return Math.max(startS, endS - this.#fragmentS - this.#neededS);
  }

  look(sight: Sight): Pace {
    this.#forget(sight.monoMs);
    const isOutside = sight.positionS < sight.startS;
    const behindS = sight.endS - sight.positionS;
    if (isOutside || behindS > this.#fragmentS + this.#neededS + JUMP_BEYOND_S) {
      this.#spares = [];
      this.#rate = 1;
      return { rate: 1, jumpToS: this.placeIn(sight.startS, sight.endS) };
    }
    this.#rate = this.#wantedRate();
    return { rate: this.#rate, jumpToS: null };
  }

  /** What was played away since the last look is no longer spare; and after a calm time less is needed. */
  #forget(monoMs: number): void {
    const passedS = this.#seenMonoMs === null ? 0 : Math.min(1, (monoMs - this.#seenMonoMs) / 1000);
    this.#seenMonoMs = monoMs;
    if (this.#rate !== 1) this.#spares = this.#spares.map((each) => each - (this.#rate - 1) * passedS);
    if (monoMs - this.#changedMonoMs < CALM_MS || this.#neededS <= LEAST_SPARE_S) return;
    this.#neededS = Math.max(LEAST_SPARE_S, this.#neededS - SPARE_STEP_S / 2);
    this.#changedMonoMs = monoMs;
  }

  #wantedRate(): number {
    if (this.#spares.length === 0) return 1;
    const excessS = Math.min(...this.#spares) - this.#neededS;
    const rests = this.#rate === 1 ? SLACK_S : SLACK_S / 4;
    if (Math.abs(excessS) <= rests) return 1;
    return Math.min(FASTEST, Math.max(SLOWEST, 1 + excessS * HASTE_PER_S));
  }
}
