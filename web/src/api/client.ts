/**
 * Asks the server. Every question has an end: a server that does not answer within ANSWER_WITHIN_MS counts as
 * lost.
 */
import type { Camera, Gap, Span, Timeline } from './types';
import { formatInstant } from '../model/instant';
import type { ServerClock } from '../model/server_clock';
import { parseCameras, parseProblem, parseTimeline } from './parse';

const ANSWER_WITHIN_MS = 8000;
const TIMELINE_PAGES_AT_MOST = 50;

/** The server answered, and the answer was no. The message is for a person. */
export class Refused extends Error {
  override name = 'Refused';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** What came back when a playlist was asked for. */
export type Reply = 'ok' | 'lost' | Refused;

/** Nobody answered, or something in between answered in the server's place. */
export class ServerLost extends Error {
  override name = 'ServerLost';
}

export class Api {
  readonly #clock: ServerClock;

  constructor(clock: ServerClock) {
    this.#clock = clock;
  }

  /** The server said its time elsewhere. */
  observeTime(serverMs: number, sentMs: number, receivedMs: number): void {
    this.#clock.observeExactly(serverMs, sentMs, receivedMs);
  }

  async cameras(): Promise<Camera[]> {
    return parseCameras(await this.#get('/api/v1/cameras'));
  }

  /** Where footage of one camera is within [fromMs, toMs), and why there is none elsewhere. */
  async timeline(cameraId: string, fromMs: number, toMs: number): Promise<Timeline> {
    const query = new URLSearchParams({ from: formatInstant(fromMs), to: formatInstant(toMs) });
    const url = `/api/v1/cameras/${encodeURIComponent(cameraId)}/timeline`;
    const spans: Span[] = [];
    const gaps: Gap[] = [];
    for (let pages = 0; pages < TIMELINE_PAGES_AT_MOST; pages += 1) {
      const page = parseTimeline(await this.#get(`${url}?${query}`));
      spans.push(...page.spans);
      gaps.push(...page.gaps);
      if (page.next === null) break;
      query.set('cursor', page.next);
    }
    return { spans, gaps };
  }

  /** How the server answers for a playlist just now, and if it refuses, why: hls.js tells neither. */
  async ask(url: string): Promise<Reply> {
    try {
      const response = await this.#fetch(url);
      if (!response.ok) return await refusedBy(response);
      await response.body?.cancel();
      return 'ok';
    } catch {
      return 'lost';
    }
  }

  async #get(url: string): Promise<unknown> {
    const response = await this.#fetch(url);
    if (!response.ok) throw await refusedBy(response);
    try {
      return (await response.json()) as unknown;
    } catch {
      throw new ServerLost('The server sent something that is not JSON. Trying again…');
    }
  }

  async #fetch(url: string): Promise<Response> {
    const sentMs = Date.now();
    try {
      const response = await fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
      this.#clock.observe(response.headers.get('date'), sentMs, Date.now());
      return response;
    } catch {
      const what = navigator.onLine ? 'The server does not answer' : 'This device is offline';
      throw new ServerLost(`${what}. Trying again…`);
    }
  }
}

async function refusedBy(response: Response): Promise<Refused> {
  let told: string | null = null;
  try {
    told = parseProblem(await response.json());
  } catch {
    // Not a problem document: a proxy answered. The status is all there is.
  }
  return new Refused(response.status, told ?? `The server answered with status ${response.status}.`);
}
