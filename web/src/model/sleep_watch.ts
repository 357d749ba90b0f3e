/** Notices that the machine slept: its wall clock went on while the page's timers stood. Pure: time is told. */
const SLEPT_AFTER_MS = 10_000;

export class SleepWatch {
  #lastWallMs: number | null = null;

  /** To be told every second. True once after a sleep; a clock that was set looks the same, and does no harm. */
  slept(wallMs: number): boolean {
    const before = this.#lastWallMs;
    this.#lastWallMs = wallMs;
    return before !== null && wallMs - before >= SLEPT_AFTER_MS;
  }
}
