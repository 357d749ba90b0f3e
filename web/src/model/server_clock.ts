/**
 * What the server's clock says now, so that "5 s behind" is right on a phone whose own clock is wrong.
 *
 * The `Date` header has whole seconds and the answer took a while, so a difference below that noise is taken as none:
 * two clocks kept by NTP agree better than the header can tell. Over WebSocket the server says the time exactly.
 */
const HEADER_RESOLUTION_MS = 1000;
/** Clocks drift, and may be set. */
const EXACT_FOR_MS = 60_000;

export class ServerClock {
  #offsetMs = 0;
  #exactTookMs = Infinity;
  #exactAtMs = -Infinity;
  readonly #wallNow: () => number;

  constructor(wallNow: () => number = Date.now) {
    this.#wallNow = wallNow;
  }

  /** Server wall time, UTC milliseconds. */
  now(): number {
    return this.#wallNow() + this.#offsetMs;
  }

  /** Learns from an answer that says the time exactly; the quickest one of late is right to half the time it took. */
  observeExactly(serverMs: number, sentMs: number, receivedMs: number): void {
    const tookMs = Math.max(0, receivedMs - sentMs);
    const ageMs = receivedMs - this.#exactAtMs;
    if (tookMs > this.#exactTookMs && ageMs >= 0 && ageMs < EXACT_FOR_MS) return;
    this.#offsetMs = serverMs - (sentMs + receivedMs) / 2;
    this.#exactTookMs = tookMs;
    this.#exactAtMs = receivedMs;
  }

  /** Learns from one answer: its Date header (RFC 9110, 6.6.1) and when, by our clock, it was asked and answered. */
  observe(dateHeader: string | null, sentMs: number, receivedMs: number): void {
    const serverMs = dateHeader === null ? NaN : Date.parse(dateHeader);
    if (Number.isNaN(serverMs)) return;
    if (Math.abs(receivedMs - this.#exactAtMs) < EXACT_FOR_MS) return; // a header cannot tell better
    const offsetMs = serverMs + HEADER_RESOLUTION_MS / 2 - (sentMs + receivedMs) / 2;
    const noiseMs = HEADER_RESOLUTION_MS + (receivedMs - sentMs) / 2;
    this.#offsetMs = Math.abs(offsetMs) <= noiseMs ? 0 : offsetMs;
  }
}
