/**
 * Plays live over WebSocket: each fragment is appended to a Media Source the moment it comes, and shown half a second
 * after it was in front of the camera. `ws_link.ts` brings the fragments, `media_map.ts` says where they go,
 * `live_pace.ts` how fast to play.
 */
import { AppendQueue } from './append_queue';
import { EarlyFragments } from './early_fragments';
import type { Engine, OnFault } from './engine';
import { LivePace } from './live_pace';
import { MediaMap } from './media_map';
import type { CureAct } from './recovery';
import { WsLink } from './ws_link';
import type { Fragment, Init } from './ws_messages';

const LOOK_EVERY_MS = 200;
/** Longer than that, it was not the connection: the camera sent nothing. */
const STALL_BELOW_MS = 2000;
/** A video out of sight is paused by the browser while more comes: not every fragment is worth a seek. */
const KEPT_AHEAD_S = 10;
/** Of the past the server sends as much as is played, if it is: where it is not, it has to be told. */
const ENOUGH_AHEAD_S = 30;
/** One lost connection is a server that restarts, or a network that changes. */
const TELL_AFTER_LOSSES = 2;

type OnServerTime = (serverMs: number, sentMs: number, receivedMs: number) => void;

/** Safari on an iPhone has only the managed one. */
const Source = ((globalThis as { ManagedMediaSource?: typeof MediaSource }).ManagedMediaSource
  ?? globalThis.MediaSource) as typeof MediaSource | undefined;

export class WsEngine implements Engine {
  readonly hls = null;
  readonly way = 'ws';
  readonly asksOn = true;
  readonly #video: HTMLVideoElement;
  readonly #onFault: OnFault;
  readonly #link: WsLink;
  readonly #closing = new AbortController();
  readonly #timer: number;
  #pace = new LivePace();
  #map = new MediaMap();
  #source: MediaSource | null = null;
  #url = '';
  #queue: AppendQueue | null = null;
  #mimeType = '';
  #early = new EarlyFragments();
  #stoodSinceMonoMs: number | null = null;
  #started = false;
  #isLive = true;
  #pausedByHand = false;
  #hasEnough = false;

  /** Whether this browser can do that at all. */
  static get isSupported(): boolean {
    return Source !== undefined && typeof WebSocket === 'function';
  }

  constructor(video: HTMLVideoElement, cameraId: string, onFault: OnFault, onServerTime: OnServerTime) {
    this.#video = video;
    this.#onFault = onFault;
    const { signal } = this.#closing;
    video.addEventListener('error', () => { onFault({ kind: 'media', started: true }); }, { signal });
    video.addEventListener('waiting', () => { this.#stoodSinceMonoMs ??= performance.now(); }, { signal });
    video.addEventListener('playing', () => { this.#stoodSinceMonoMs = null; }, { signal });
    this.#open();
    this.#link = new WsLink(cameraId, {
      onBytes: (what, data) => { this.#take(what, data); },
      onServerTime,
      onLost: () => { onFault({ kind: 'other', started: this.#started }); },
      onDown: (times) => {
        if (times >= TELL_AFTER_LOSSES) onFault({ kind: 'network', started: this.#started });
      },
    });
    this.#timer = window.setInterval(() => { this.#look(); }, LOOK_EVERY_MS);
  }

  get failing(): boolean {
    return this.#link.isDown;
  }

  pictureMs(): number | null {
    if (this.#video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return null;
    return this.#map.pictureMs(this.#video.currentTime);
  }

  cure(act: Exclude<CureAct, 'start_again'>): boolean {
    if (act === 'load_on') {
      this.#link.hurry();
      return true;
    }
    if (!this.#isLive) return false; // a decoder that was reset begins with live
    this.#shut();
    this.#open();
    this.#link.startAgain();
    return true;
  }

  pauseLoading(): void {
    this.#pausedByHand = true;
    this.#link.pause();
  }

  resumeLoading(): void {
    this.#pausedByHand = this.#hasEnough = false;
    this.#link.play();
  }

  goOn(): boolean {
    if (this.pictureMs() === null) return false;
    this.#isLive = false;
    return true;
  }

  close(): void {
    window.clearInterval(this.#timer);
    this.#closing.abort();
    this.#link.close();
    this.#shut();
  }

  #open(): void {
    if (Source === undefined) return;
    const source = new Source();
    this.#source = source;
    this.#map = new MediaMap();
    this.#pace = new LivePace();
    source.addEventListener('sourceopen', () => {
      for (const [what, data] of this.#early.take()) this.#take(what, data);
    }, { once: true, signal: this.#closing.signal });
    this.#url = URL.createObjectURL(source);
    this.#video.src = this.#url;
  }

  #shut(): void {
    this.#queue?.close();
    this.#queue = null;
    this.#source = null;
    this.#early = new EarlyFragments();
    this.#video.playbackRate = 1;
    this.#video.removeAttribute('src');
    this.#video.load();
    URL.revokeObjectURL(this.#url);
  }

  #take(what: Init | Fragment, data: ArrayBuffer): void {
    const source = this.#source;
    if (source?.readyState !== 'open') {
      this.#early.add(what, data);
      return;
    }
    if (what.kind === 'init') this.#begin(source, what, data);
    else if (this.#queue !== null) this.#append(this.#queue, what, data);
  }

  #begin(source: MediaSource, init: Init, data: ArrayBuffer): void {
    if (Source?.isTypeSupported(init.mimeType) !== true) {
      this.#onFault({ kind: 'unplayable', started: false });
      return;
    }
    this.#map.begin(init);
    const queue = this.#queue ?? this.#makeQueue(source, init.mimeType);
    if (init.mimeType !== this.#mimeType) queue.changeType(init.mimeType);
    this.#queue = queue;
    this.#mimeType = init.mimeType;
    queue.append(data, null);
  }

  #makeQueue(source: MediaSource, mimeType: string): AppendQueue {
    this.#mimeType = mimeType;
    const buffer = source.addSourceBuffer(mimeType);
    source.duration = Infinity; // no end that would be run into
    const onBroken = (): void => { this.#onFault({ kind: 'media', started: true }); };
    return new AppendQueue(buffer, this.#video, () => { this.#look(); }, onBroken);
  }

  #append(queue: AppendQueue, fragment: Fragment, data: ArrayBuffer): void {
    this.#started = true;
    const range = queue.lastRange;
    const stoodMs = this.#stoodSinceMonoMs === null ? 0 : performance.now() - this.#stoodSinceMonoMs;
    this.#map.add(fragment);
    const plays = range !== null && this.#isLive && !this.#video.paused && !this.#video.seeking;
    this.#pace.arrived(fragment.durationS, plays && stoodMs === 0 ? range.endS - this.#video.currentTime : null);
    if (plays && stoodMs > 0 && stoodMs < STALL_BELOW_MS) this.#pace.stalled(performance.now());
    queue.append(data, this.#map.offsetS);
  }

  #look(): void {
    const queue = this.#queue;
    const range = queue?.lastRange ?? null;
    if (queue === null || range === null || queue.isBusy || this.#video.seeking) return;
    if (this.#isLive) this.#keepUp(range);
    else this.#playPast(queue, range.endS);
  }

  #keepUp(range: { readonly startS: number; readonly endS: number }): void {
    const positionS = this.#video.currentTime;
    const rests = this.#video.paused && positionS >= range.startS && range.endS - positionS < KEPT_AHEAD_S;
    if (rests && this.#video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) return;
    const pace = this.#pace.look({ monoMs: performance.now(), positionS, ...range });
    if (pace.jumpToS !== null) this.#video.currentTime = pace.jumpToS;
    if (this.#video.playbackRate !== pace.rate) this.#video.playbackRate = pace.rate;
  }

  #playPast(queue: AppendQueue, endS: number): void {
    const behindHoleS = queue.behindHole(this.#video.currentTime);
    if (behindHoleS !== null) this.#video.currentTime = behindHoleS;
    this.#video.playbackRate = 1;
    const hasEnough = endS - this.#video.currentTime > (this.#hasEnough ? ENOUGH_AHEAD_S / 2 : ENOUGH_AHEAD_S);
    if (this.#pausedByHand || hasEnough === this.#hasEnough) return;
    this.#hasEnough = hasEnough;
    if (hasEnough) this.#link.pause();
    else this.#link.play();
  }
}
