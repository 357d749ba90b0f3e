/**
 * Notices a player that is stuck without having said so. Pure: it is told what is and when.
 *
 * A picture that stands still is right while the camera is silent; it is a fault only while newer footage exists.
 * So stuck means, for STUCK_AFTER_MS on end: newer footage is known to be there, and the position does not move, or
 * live does not come near it. The time before that was known does not count: after a lost network, the player has as
 * long as ever to go on by itself.
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
  #standsSinceMonoMs: number | null = null;
  #movesSinceMonoMs: number | null = null;
  #behindSinceMonoMs: number | null = null;

  look(sight: Sight): Verdict {
    const moved = sight.positionS !== this.#positionS;
    this.#positionS = sight.positionS;
    const behindMs = sight.pictureMs === null || sight.newestMs === null ? 0 : sight.newestMs - sight.pictureMs;
    this.#movesSinceMonoMs = since(this.#movesSinceMonoMs, moved, sight.monoMs);
    this.#standsSinceMonoMs = since(this.#standsSinceMonoMs, !moved && behindMs > NEWER_FOOTAGE_MS, sight.monoMs);
    this.#behindSinceMonoMs = since(this.#behindSinceMonoMs, sight.live && behindMs > FAR_BEHIND_MS, sight.monoMs);
    if (lasted(this.#standsSinceMonoMs, sight.monoMs) > STUCK_AFTER_MS) return 'stuck';
    if (lasted(this.#behindSinceMonoMs, sight.monoMs) > STUCK_AFTER_MS) return 'stuck';
    return lasted(this.#movesSinceMonoMs, sight.monoMs) >= MOVING_AFTER_MS ? 'moving' : 'unsure';
  }

  /** Starts over, after a new engine or a pause. */
  reset(): void {
    this.#standsSinceMonoMs = null;
    this.#movesSinceMonoMs = null;
    this.#behindSinceMonoMs = null;
  }
}

/** Since when something holds on end; null while it does not. */
function since(sinceMonoMs: number | null, holds: boolean, monoMs: number): number | null {
  return holds ? (sinceMonoMs ?? monoMs) : null;
}

function lasted(sinceMonoMs: number | null, monoMs: number): number {
  return sinceMonoMs === null ? 0 : monoMs - sinceMonoMs;
}
