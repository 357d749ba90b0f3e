/**
 * Notices a player that is stuck without having said so. Pure: it is told what is and when.
 *
 * A picture that stands still is right while the camera is silent; it is a fault only while newer footage exists.
 * So stuck means, for STUCK_AFTER_MS: newer footage is there, and the position does not move, or live does not
 * come near it.
 */
const STUCK_AFTER_MS = 15_000;
const NEWER_FOOTAGE_MS = 20_000;
const FAR_BEHIND_MS = 30_000;
const MOVING_AFTER_MS = 2000;

export interface Sight {
  readonly monoMs: number;
  readonly positionS: number;
  /** UTC of the picture shown; null before the first. */
  readonly pictureMs: number | null;
  /** UTC of the newest footage; null when unknown. */
  readonly newestMs: number | null;
  readonly live: boolean;
}

export type Verdict = 'unsure' | 'moving' | 'stuck';

export class ProgressWatch {
  #positionS = NaN;
  #standsSinceMonoMs = 0;
  #movesSinceMonoMs: number | null = null;
  #behindSinceMonoMs: number | null = null;

  look(sight: Sight): Verdict {
    const moved = sight.positionS !== this.#positionS;
    this.#positionS = sight.positionS;
    if (moved) {
      this.#movesSinceMonoMs ??= sight.monoMs;
      this.#standsSinceMonoMs = sight.monoMs;
    } else {
      this.#movesSinceMonoMs = null;
    }
    if (this.#isStuck(sight)) return 'stuck';
    const movedFor = this.#movesSinceMonoMs === null ? 0 : sight.monoMs - this.#movesSinceMonoMs;
    return movedFor >= MOVING_AFTER_MS ? 'moving' : 'unsure';
  }

  /** Starts over, after a new engine or a pause. */
  reset(monoMs: number): void {
    this.#standsSinceMonoMs = monoMs;
    this.#movesSinceMonoMs = null;
    this.#behindSinceMonoMs = null;
  }

  #isStuck(sight: Sight): boolean {
    const behindMs = sight.pictureMs === null || sight.newestMs === null ? 0 : sight.newestMs - sight.pictureMs;
    if (sight.live && behindMs > FAR_BEHIND_MS) this.#behindSinceMonoMs ??= sight.monoMs;
    else this.#behindSinceMonoMs = null;
    const farBehind = this.#behindSinceMonoMs !== null && sight.monoMs - this.#behindSinceMonoMs > STUCK_AFTER_MS;
    const stands = sight.monoMs - this.#standsSinceMonoMs > STUCK_AFTER_MS;
    return farBehind || (stands && behindMs > NEWER_FOOTAGE_MS);
  }
}
