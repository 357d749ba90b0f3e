/**
 * Where fragments stand on the video element's own timeline, and which moment a place on it shows. Pure.
 *
 * Within one discontinuity media time runs on, over holes and over a lost connection: what comes keeps its distance
 * to what is there. Where another one begins, its first fragment is put right behind the last.
 */
import type { Fragment, Init } from './ws_messages';

/** Sound may begin a little before the first picture, and nothing can stand before 0. */
const FIRST_AT_S = 1;
const KEPT_S = 120;
/** Rounding leaves a crack between two fragments that belong together. */
const CRACK_S = 0.1;

interface Place {
  readonly startS: number;
  readonly endS: number;
  readonly timeMs: number;
}

export class MediaMap {
  #places: Place[] = [];
  #discontinuity: number | null = null;
  #offsetS: number | null = null;

  /** What to add to media time to get to the video's timeline; null before the first fragment. */
  get offsetS(): number | null {
    return this.#offsetS;
  }

  begin(init: Init): void {
    if (init.discontinuity === this.#discontinuity) return;
    this.#discontinuity = init.discontinuity;
    this.#offsetS = null;
  }

  /** Puts a fragment in its place, and says where it begins. */
  add(fragment: Fragment): number {
    const last = this.#places[this.#places.length - 1];
    this.#offsetS ??= (last?.endS ?? FIRST_AT_S) - fragment.startS;
    const startS = fragment.startS + this.#offsetS;
    const endS = startS + fragment.durationS;
    this.#places = this.#places.filter((each) => each.endS > endS - KEPT_S && each.startS < startS - CRACK_S / 10);
    this.#places.push({ startS, endS, timeMs: fragment.timeMs });
    return startS;
  }

  /** UTC of the picture at a place; null where none is known. */
  pictureMs(positionS: number): number | null {
    for (let index = this.#places.length - 1; index >= 0; index -= 1) {
      const place = this.#places[index];
      if (place === undefined || place.startS > positionS + CRACK_S) continue;
      if (place.endS < positionS - CRACK_S) return null;
      return place.timeMs + (positionS - place.startS) * 1000;
    }
    return null;
  }
}
