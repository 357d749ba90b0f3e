/**
 * Growing pauses between tries: doubled each time up to a limit, and jittered so that many viewers do not return
 * at once.
 */
export class Backoff {
  readonly #firstMs: number;
  readonly #longestMs: number;
  readonly #random: () => number;
  #tries = 0;

  constructor(firstMs: number, longestMs: number, random: () => number = Math.random) {
    this.#firstMs = firstMs;
    this.#longestMs = longestMs;
    this.#random = random;
  }

  /** How many pauses were taken since the last success. */
  get tries(): number {
    return this.#tries;
  }

  /** The next pause in milliseconds: between half and all of the doubled pause. */
  next(): number {
    const fullMs = Math.min(this.#longestMs, this.#firstMs * 2 ** Math.min(this.#tries, 30));
    this.#tries += 1;
    return fullMs * (0.5 + this.#random() / 2);
  }

  reset(): void {
    this.#tries = 0;
  }
}
