/**
 * What to do about a fault that ends playback. Pure: it decides, `player.ts` acts.
 *
 * The mildest cure first (keep the buffer and load on, or reset the decoder), then a new engine from the position
 * reached; pauses grow until pictures move again. Nothing ever gives up: a camera wall hangs on a wall and nobody
 * presses reload.
 */
import { Backoff } from '../model/backoff';

export type FaultKind = 'network' | 'media' | 'unplayable' | 'other';

export interface Fault {
  readonly kind: FaultKind;
  /** Whether a playlist had been loaded, so that there is something to load on from. */
  readonly started: boolean;
}

export type CureAct = 'load_on' | 'reset_decoder' | 'start_again';

export interface Cure {
  readonly act: CureAct;
  readonly delayMs: number;
  /** How far to step over footage that cannot be decoded, when not live. */
  readonly skipMs: number;
}

const LOAD_ON_TRIES = 2;
const SKIP_STEP_MS = 5000;
const UNPLAYABLE_PAUSE_MS = 30_000;

export class Recovery {
  readonly #backoff: Backoff;
  #mediaFaults = 0;

  constructor(random: () => number = Math.random) {
    this.#backoff = new Backoff(1000, 10_000, random);
  }

  /** Faults since pictures last moved. */
  get faults(): number {
    return this.#backoff.tries;
  }

  cureFor(fault: Fault): Cure {
    const pauseMs = this.#backoff.next();
    switch (fault.kind) {
      case 'network': {
        const mild = fault.started && this.#backoff.tries <= LOAD_ON_TRIES;
        return { act: mild ? 'load_on' : 'start_again', delayMs: pauseMs, skipMs: 0 };
      }
      case 'media':
        this.#mediaFaults += 1;
        if (this.#mediaFaults === 1) return { act: 'reset_decoder', delayMs: 0, skipMs: 0 };
        return { act: 'start_again', delayMs: pauseMs, skipMs: (this.#mediaFaults - 2) * SKIP_STEP_MS };
      case 'unplayable':
        return { act: 'start_again', delayMs: UNPLAYABLE_PAUSE_MS, skipMs: 0 };
      case 'other':
        return { act: 'start_again', delayMs: pauseMs, skipMs: 0 };
    }
  }

  /** Pictures moved on: the next fault starts with the mildest cure again. */
  progressed(): void {
    this.#backoff.reset();
    this.#mediaFaults = 0;
  }
}
