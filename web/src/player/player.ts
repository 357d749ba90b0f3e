/**
 * One camera on one video element, for as long as it is on the page.
 *
 * A Player is told what to show (live, or from a moment on) and keeps showing it: it makes an engine, cures its
 * faults as `recovery.ts` decides, and starts again by itself when `progress_watch.ts` finds it stuck. When it
 * starts again, live goes on from now and the past from the picture last shown. Live comes in the quickest way that
 * works here (`model/way.ts`), the past as HLS.
 */
import Hls from 'hls.js';
import type { Reply } from '../api/client';
import { formatInstant } from '../model/instant';
import { parseWay, WayChoice, type Way } from '../model/way';
import type { Engine } from './engine';
import { HlsEngine } from './hls_engine';
import { NativeEngine } from './native_engine';
import { ProgressWatch } from './progress_watch';
import { Recovery, type Cure, type Fault } from './recovery';
import { WsEngine } from './ws_engine';

const TELL_AFTER_FAULTS = 2;
const RECONNECTING_TEXT = 'Reconnecting…';
/** What this page was opened with, for as long as it is open. */
const ASKED_WAY = parseWay(window.location.search, window.location.hash);
const UNPLAYABLE_TEXT = 'This browser cannot play this camera’s video format; VLC can.';

export interface PlayerParts {
  readonly video: HTMLVideoElement;
  readonly cameraId: string;
  /** Path of the live (multivariant) playlist. */
  readonly livePlaylist: string;
  /** The ways to try for live, unless the page's address asks for one. */
  readonly ways: readonly Way[];
  /** Asks the server for a playlist, to learn whether it answers and why it refuses. */
  readonly ask: (url: string) => Promise<Reply>;
  /** Takes what the server said of its time, and when by our clock it was asked and answered. */
  readonly onServerTime: (serverMs: number, sentMs: number, receivedMs: number) => void;
}

export class Player {
  readonly video: HTMLVideoElement;
  readonly #parts: PlayerParts;
  readonly #recovery = new Recovery();
  readonly #watch = new ProgressWatch();
  readonly #ways: WayChoice;
  readonly #closing = new AbortController();
  #engine: Engine | null = null;
  #atMs: number | null = null;
  #pausedByHand = false;
  #trouble: string | null = null;
  #lastPictureMs: number | null = null;
  #pendingCure: { readonly timer: number; readonly run: () => void } | null = null;

  constructor(parts: PlayerParts) {
    this.#parts = parts;
    this.#ways = new WayChoice(ASKED_WAY, canPlay, parts.ways);
    this.video = parts.video;
    const { signal } = this.#closing;
    for (const event of ['loadedmetadata', 'canplay']) {
      this.video.addEventListener(event, () => { this.#startMoving(); }, { signal });
    }
    this.video.addEventListener('pause', () => { this.#pausedFromOutside(); }, { signal });
    this.video.addEventListener('play', () => { if (this.#pausedByHand) this.resume(); }, { signal });
  }

  /** The hls.js instance of this moment, for tests and curious people. */
  get hls(): Hls | null {
    return this.#engine?.hls ?? null;
  }

  /** The way in which the picture comes; null before there is one to take. */
  get way(): Way | null {
    return this.#engine?.way ?? null;
  }

  /** Whether it follows live; false from a chosen moment on, even when that has caught up. */
  get live(): boolean {
    return this.#atMs === null;
  }

  get paused(): boolean {
    return this.#pausedByHand;
  }

  /** One sentence when something is wrong that a person should know of; else null. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** UTC of the picture on the screen; null before the first. */
  get pictureMs(): number | null {
    return this.#engine?.pictureMs() ?? null;
  }

  /** Shows live (null), or plays from a moment on and goes on into live; `paused` shows that moment's picture. */
  play(atMs: number | null, paused = false): void {
    this.#engine?.close();
    this.#engine = null; // the old engine's picture is not where this one starts
    this.#atMs = atMs;
    this.#lastPictureMs = null;
    this.#pausedByHand = paused;
    this.#trouble = null;
    this.#recovery.progressed();
    this.#startAgain();
  }

  pause(): void {
    this.#pausedByHand = true;
    this.video.pause();
    this.#engine?.pauseLoading(); // or live would be pulled along while the picture stands
  }

  /** Goes on from the picture that stands, however long it stood: live has moved on, so it becomes the past. */
  resume(): void {
    const standingMs = this.pictureMs ?? this.#lastPictureMs;
    if (this.live && standingMs !== null && this.#engine?.goOn() !== true) {
      this.play(standingMs);
      return;
    }
    if (this.live) this.#atMs = standingMs;
    this.#pausedByHand = false;
    this.#watch.reset();
    this.#engine?.resumeLoading();
    this.#startMoving();
    this.#pendingCure?.run();
  }

  /** There is reason to believe that it works now: try at once what would be tried later. */
  retryNow(): void {
    if (this.#pendingCure !== null) this.#pendingCure.run();
    else if (this.#engine !== null && !this.#pausedByHand && (this.#engine.failing || this.#stands)) {
      this.#engine.cure('load_on'); // also gives up requests that nobody will answer any more
    }
  }

  /** To be called about twice a second with the end of the newest footage. */
  tick(newestMs: number | null): void {
    this.#lastPictureMs = this.pictureMs ?? this.#lastPictureMs;
    if (this.#engine === null || this.#pausedByHand || this.#pendingCure !== null) return;
    if (this.video.paused) {
      this.#startMoving(); // browsers pause what is out of sight
      return;
    }
    const monoMs = performance.now();
    const verdict = this.#watch.look({
      monoMs, positionS: this.video.currentTime, pictureMs: this.#lastPictureMs, newestMs, live: this.live,
    });
    if (verdict === 'stuck') {
      this.#watch.reset();
      // Where nothing arrives a new engine would not help: ask first, and keep the last picture until it can.
      if (this.#engine.failing) this.#onFault({ kind: 'network', started: true });
      else this.#startAgain();
    } else if (verdict === 'moving') {
      this.#recovery.progressed();
      this.#ways.works();
      this.#trouble = null;
    } else if (this.#engine.failing && this.#stands) {
      this.#trouble ??= RECONNECTING_TEXT;
    }
  }

  close(): void {
    this.#closing.abort();
    this.#dropCure();
    this.#engine?.close();
    this.#engine = null;
  }

  /** Whether the picture stands for want of data. */
  get #stands(): boolean {
    return this.video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
  }

  /** Whether somebody looks at a picture that a new engine would take away. */
  get #keepsPicture(): boolean {
    return this.#pausedByHand && this.pictureMs !== null;
  }

  #startAgain(skipMs = 0): void {
    this.#dropCure();
    if (this.#atMs !== null) this.#atMs = (this.pictureMs ?? this.#lastPictureMs ?? this.#atMs) + skipMs;
    this.#engine?.close();
    this.#watch.reset();
    this.#engine = this.#makeEngine();
  }

  #makeEngine(): Engine {
    const playlist = { url: this.#url(), atMs: this.#atMs };
    const onFault = (fault: Fault): void => { this.#onFault(fault); };
    const onServerTime: PlayerParts['onServerTime'] = (...times) => {
      this.#ways.answers();
      this.#parts.onServerTime(...times);
    };
    const way = this.live ? this.#ways.current : 'hls';
    if (way === 'ws') return new WsEngine(this.video, this.#parts.cameraId, onFault, onServerTime);
    if (Hls.isSupported()) return new HlsEngine(this.video, playlist, onFault, way);
    return new NativeEngine(this.video, playlist, onFault);
  }

  #url(): string {
    if (this.#atMs === null) return this.#parts.livePlaylist;
    return `/hls/${encodeURIComponent(this.#parts.cameraId)}/timeline.m3u8?from=${formatInstant(this.#atMs)}`;
  }

  #onFault(fault: Fault): void {
    if (this.#pendingCure !== null) return; // one ill may show as several faults
    if (fault.kind === 'unplayable' && this.live && !this.#keepsPicture && this.#ways.cannot()) {
      this.#startAgain();
      return;
    }
    const cure = this.#recovery.cureFor(fault);
    if (fault.kind === 'unplayable') this.#trouble = UNPLAYABLE_TEXT;
    else if (this.#recovery.faults >= TELL_AFTER_FAULTS) this.#trouble ??= RECONNECTING_TEXT;
    this.#plan(fault, cure);
  }

  #plan(fault: Fault, cure: Cure): void {
    const run = (): void => { void this.#cure(fault, cure); };
    this.#pendingCure = { timer: window.setTimeout(run, cure.delayMs), run };
  }

  async #cure(fault: Fault, cure: Cure): Promise<void> {
    const planned = this.#pendingCure;
    if (planned !== null) window.clearTimeout(planned.timer);
    if (fault.kind === 'network') {
      const reply = await this.#parts.ask(this.#url());
      if (this.#pendingCure !== planned) return; // something else was wished meanwhile
      if (reply !== 'ok') {
        // A new engine would only take the last picture away. Keep it, and ask again later.
        this.#trouble = reply === 'lost' ? RECONNECTING_TEXT : reply.message;
        this.#plan(fault, { ...cure, delayMs: this.#recovery.cureFor(fault).delayMs });
        return;
      }
    }
    if (this.#keepsPicture) return; // until it is resumed, which runs this again
    this.#dropCure();
    const isLeft = this.live && this.#ways.failed(fault.kind === 'network'); // though the server answers
    const asksOn = fault.kind === 'network' && this.#engine?.asksOn === true;
    if (isLeft || (cure.act === 'start_again' && !asksOn)) this.#startAgain(cure.skipMs);
    else if (cure.act === 'start_again') this.#engine?.cure('load_on');
    else if (this.#engine?.cure(cure.act) === false) this.#startAgain(cure.skipMs);
  }

  /** A media key, or the headphones: as good as the button. What browsers pause by themselves has no sound. */
  #pausedFromOutside(): void {
    const showing = this.video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && !this.video.ended;
    if (showing && !this.video.muted && !this.#pausedByHand) this.pause();
  }

  #dropCure(): void {
    if (this.#pendingCure !== null) window.clearTimeout(this.#pendingCure.timer);
    this.#pendingCure = null;
  }

  #startMoving(): void {
    if (this.#pausedByHand || !this.video.paused) return;
    this.video.play().catch((error: unknown) => {
      // Browsers refuse sound that nobody asked for with a click; the picture matters more.
      if (!(error instanceof DOMException && error.name === 'NotAllowedError') || this.video.muted) return;
      this.video.muted = true;
      this.#startMoving();
    });
  }
}

/** Whether there is an engine for a way here. Any browser plays HLS, or none can be helped. */
function canPlay(way: Way): boolean {
  return way === 'ws' ? WsEngine.isSupported : Hls.isSupported();
}
