/**
 * How long hls.js goes on asking. Pure: it decides, hls.js asks.
 *
 * Left to itself, hls.js takes a server that restarts for a fatal error, and steps over a segment that could not be
 * fetched while newer ones are listed: the past would have a hole that is not there. So, as long as nobody answers,
 * ask on for ever, and the very next segment is the next to be shown. Somebody who answers "not now" is given the
 * time that a restart takes. A "no" is one: what retention has removed is stepped over at once.
 */
import type { HlsConfig, LoadPolicy } from 'hls.js';

/** At the pauses below these are 60 s. */
const REFUSALS_AT_MOST = 30;
const FIRST_PAUSE_MS = 500;
/** The server may be back at any moment, and a request that fails costs nothing. */
const LONGEST_PAUSE_MS = 2000;
const FIRST_BYTE_WITHIN_MS = 10_000;

/** How often in a row somebody has answered that it cannot; of one kind of request. */
export class Patience {
  #refusals = 0;

  /** Whether to ask again after an answer with this HTTP status; 0 stands for no answer, undefined for other ills. */
  askAgain(status: number | undefined): boolean {
    if (status === undefined) return false;
    if (status === 0) {
      this.#refusals = 0;
      return true;
    }
    this.#refusals += 1;
    return status >= 500 && this.#refusals <= REFUSALS_AT_MOST;
  }

  /** What was asked for came. */
  satisfied(): void {
    this.#refusals = 0;
  }
}

/** `segments` decides about segments; about playlists, which hls.js would ask for for ever, the engine does. */
export function loadPolicies(segments: Patience): Partial<HlsConfig> {
  return {
    fragLoadPolicy: policy(Infinity, 120_000, (status) => segments.askAgain(status)),
    playlistLoadPolicy: policy(Infinity, 20_000),
    // Before the first picture a person wants to know why there is none: hls.js would not tell, so it gives up soon
    // when somebody answered, and `recovery.ts` asks on.
    manifestLoadPolicy: policy(REFUSALS_AT_MOST, 20_000, isNoAnswer),
  };
}

function policy(
  maxNumRetry: number, maxLoadTimeMs: number, again?: (status: number | undefined) => boolean,
): LoadPolicy {
  const retry = { maxNumRetry, retryDelayMs: FIRST_PAUSE_MS, maxRetryDelayMs: LONGEST_PAUSE_MS };
  return {
    default: {
      maxTimeToFirstByteMs: FIRST_BYTE_WITHIN_MS,
      maxLoadTimeMs,
      timeoutRetry: retry,
      errorRetry: again === undefined ? retry : {
        ...retry,
        shouldRetry: (_config, tries, _isTimeout, response) => tries < maxNumRetry && again(response?.code),
      },
    },
  };
}

function isNoAnswer(status: number | undefined): boolean {
  return status === 0 || status === 502 || status === 504; // a proxy's words for "nobody"
}
