/**
 * The ways a live picture can come, the quickest first, and which of them to take. Pure.
 *
 * WebSocket takes half a second, low-latency HLS some parts, HLS some segments. A way that does not work here (a
 * proxy that knows no WebSocket, a browser that cannot play what comes) is left for the next one; that nobody answers
 * at all is no reason to.
 */
export const WAYS = ['ws', 'll-hls', 'hls'] as const;
export type Way = (typeof WAYS)[number];
/** Low-latency HLS holds requests: six cameras would use up the connections that a browser opens to one host. */
export const WALL_WAYS: readonly Way[] = ['ws', 'hls'];

const FAILURES_AT_MOST = 3;
const WORDS: Record<Way, string> = { 'ws': 'WebSocket', 'll-hls': 'low-latency HLS', 'hls': 'HLS' };

export function wayWords(way: Way): string {
  return WORDS[way];
}

/** The way that an address asks for, by `?way=hls` in front of the hash or in it; null when it asks for none. */
export function parseWay(search: string, hash: string): Way | null {
  const inHash = hash.split('?', 2)[1] ?? '';
  const asked = new URLSearchParams(search).get('way') ?? new URLSearchParams(inHash).get('way');
  return WAYS.find((way) => way === asked) ?? null;
}

/** Which way one player takes. One that was asked for is taken, whatever becomes of it. */
export class WayChoice {
  readonly #ways: readonly Way[];
  #index = 0;
  #failures = 0;
  #silences = 0;

  constructor(asked: Way | null, works: (way: Way) => boolean, ways: readonly Way[] = WAYS) {
    this.#ways = asked === null ? ways.filter((way) => way === 'hls' || works(way)) : [asked];
  }

  get current(): Way {
    return this.#ways[this.#index] ?? 'hls';
  }

  /** It did not work, or nothing came by it, though the server answers; true when the next one is to be taken now. */
  failed(isSilent = false): boolean {
    if (isSilent) this.#silences += 1;
    else this.#failures += 1;
    return this.#failures + this.#silences >= FAILURES_AT_MOST && this.cannot();
  }

  /** It can never work here; true when there is another one. */
  cannot(): boolean {
    this.works();
    if (this.#index + 1 >= this.#ways.length) return false;
    this.#index += 1;
    return true;
  }

  /** The server answers by it: that it was silent before is no fault of its own. What comes may still not play. */
  answers(): void {
    this.#silences = 0;
  }

  /** Pictures move. */
  works(): void {
    this.#failures = this.#silences = 0;
  }
}
