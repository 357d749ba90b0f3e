/** Plays with hls.js. One instance per playlist: a new wish is a new engine. */
import Hls, { ErrorDetails, ErrorTypes, Events, type ErrorData, type HlsConfig } from 'hls.js';
import type { Engine, OnFault, Playlist } from './engine';
import { loadPolicies, Patience } from './load_policies';
import type { CureAct, FaultKind } from './recovery';

const COMMON: Partial<HlsConfig> = {
  backBufferLength: 60, // the default keeps all: a wall left open for a week would fill the memory
  liveDurationInfinity: true, // no seek bar that grows under the thumb, and no early "ended"
  enableWorker: false, // fMP4 passes through untouched: a worker per camera would have nothing to do
};

const LIVE: Partial<HlsConfig> = {
  lowLatencyMode: false, // held requests would use up the six connections that a browser opens to one host
  // Two segments behind the end of the newest listed one. The one in progress makes it three at most from scene to
  // screen; with 3, the default, it would be four. One spare segment is buffer enough for a server in the same house.
  liveSyncDurationCount: 2,
  // Further behind than this (the tab slept, the line was slow) it jumps back to live. After stalls hls.js widens the
  // distance by up to one segment, so 3 would jump to and fro; 4 leaves one segment between the two.
  liveMaxLatencyDurationCount: 4,
};

/** Nothing of the above: how far behind to stay, the playlist says (PART-HOLD-BACK). */
const LOW_LATENCY: Partial<HlsConfig> = {
  lowLatencyMode: true,
  maxLiveSyncPlaybackRate: 1.1,
};

const FROM_A_TIME: Partial<HlsConfig> = {
  lowLatencyMode: false,
  startPosition: 0, // this playlist starts at the wished segment and goes on into live: never start at its live end
};

const LAST_PICTURE_S = 0.1;

const UNPLAYABLE: ReadonlySet<ErrorDetails> = new Set([
  ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR,
  ErrorDetails.BUFFER_INCOMPATIBLE_CODECS_ERROR,
  ErrorDetails.BUFFER_ADD_CODEC_ERROR,
]);

export class HlsEngine implements Engine {
  readonly asksOn = false;
  readonly way: 'll-hls' | 'hls';
  readonly hls: Hls;
  readonly #video: HTMLVideoElement;
  readonly #segments = new Patience();
  readonly #playlists = new Patience();
  #started = false;
  #failing = false;

  constructor(video: HTMLVideoElement, playlist: Playlist, onFault: OnFault, way: 'll-hls' | 'hls' = 'hls') {
    this.#video = video;
    this.way = way;
    const live = way === 'll-hls' ? LOW_LATENCY : LIVE;
    const where = playlist.atMs === null ? live : FROM_A_TIME;
    this.hls = new Hls({ ...COMMON, ...where, ...loadPolicies(this.#segments) });
    this.hls.on(Events.ERROR, (_event, error) => {
      this.#failing ||= error.type === ErrorTypes.NETWORK_ERROR;
      if (error.fatal || this.#isRefused(error)) onFault({ kind: kindOf(error), started: this.#started });
    });
    this.hls.on(Events.LEVEL_LOADED, () => {
      this.#started = true;
      this.#failing = false;
      this.#playlists.satisfied();
    });
    this.hls.on(Events.FRAG_LOADED, () => {
      this.#failing = false;
      this.#segments.satisfied();
    });
    if (playlist.atMs !== null) this.#startWithinFirstSegment(playlist.atMs);
    this.hls.loadSource(playlist.url);
    this.hls.attachMedia(video);
  }

  get failing(): boolean {
    return this.#failing;
  }

  pictureMs(): number | null {
    if (this.#video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return null;
    return this.hls.playingDate?.getTime() ?? null;
  }

  cure(act: Exclude<CureAct, 'start_again'>): boolean {
    if (act === 'load_on') this.hls.startLoad();
    else this.hls.recoverMediaError();
    return true;
  }

  goOn(): boolean {
    return false;
  }

  pauseLoading(): void {
    this.hls.stopLoad();
  }

  resumeLoading(): void {
    this.hls.startLoad();
  }

  close(): void {
    this.hls.destroy();
  }

  #isRefused(error: ErrorData): boolean {
    return error.details === ErrorDetails.LEVEL_LOAD_ERROR && !this.#playlists.askAgain(error.response?.code);
  }

  /**
   * The playlist starts with the segment that *contains* the wished moment: start at the moment itself. Told before
   * there is anything to show, so that not one picture before it flashes up; and where a browser does not heed that,
   * told again.
   */
  #startWithinFirstSegment(atMs: number): void {
    const seek = (): void => {
      const first = this.hls.latestLevelDetails?.fragments[0];
      if (typeof first?.programDateTime !== 'number') return;
      // A moment at the very end of all there is, where its picture stands, has no segment that contains it yet.
      const offsetS = Math.min((atMs - first.programDateTime) / 1000, first.duration - LAST_PICTURE_S);
      if (offsetS > 0 && this.#video.currentTime < first.start + offsetS) {
        this.#video.currentTime = first.start + offsetS;
      }
    };
    this.hls.once(Events.LEVEL_LOADED, seek);
    this.hls.once(Events.FRAG_BUFFERED, seek);
  }
}

function kindOf(error: ErrorData): FaultKind {
  if (UNPLAYABLE.has(error.details)) return 'unplayable';
  if (error.type === ErrorTypes.NETWORK_ERROR) return 'network';
  return error.type === ErrorTypes.MEDIA_ERROR ? 'media' : 'other';
}
