/**
 * One camera, big: live, or any moment of the day.
 *
 * The position is the URL's: choosing a moment writes `?at=` into the hash, and while the past plays the hash
 * follows the picture, so that a reload goes on from there. Live has no `?at=`.
 */
import type { Api } from '../api/client';
import type { Camera, Span } from '../api/types';
import { clockOf, contains, dayOf, instantOfClock, snapToFootage, type Day } from '../model/day';
import { formatHash } from '../model/route';
import { dayWords, factWords, stateWord, whyWords } from '../model/words';
import { Player } from '../player/player';
import { enter, leave } from '../player/registry';
import { Controls } from './controls';
import { DayStrip } from './day_strip';
import { make, say, sayOrHide } from './dom';
import { Picture } from './picture';
import type { View } from './view';

const SPANS_EVERY_MS = 5000;
const HASH_EVERY_MS = 3000;

export class CameraPage implements View {
  readonly root: HTMLElement;
  readonly cameraId: string;
  readonly #api: Api;
  readonly #picture: Picture;
  readonly #player: Player;
  readonly #controls: Controls;
  readonly #strip: DayStrip;
  readonly #name = make('h1');
  readonly #badge = make('span', { class: 'badge', 'data-testid': 'state' });
  readonly #why = make('p', { class: 'why' });
  readonly #dayLabel = make('p', { class: 'day' });
  readonly #note = make('p', { class: 'note', role: 'status', 'data-testid': 'note' });
  readonly #facts = make('p', { class: 'quiet' });
  #camera: Camera;
  #day: Day;
  #spans: readonly Span[] = [];
  #wishMs: number | null;
  #nowMs: number;
  #started = false;
  #closed = false;
  #spansAskedMonoMs = -Infinity;
  #hashWrittenMonoMs = -Infinity;

  constructor(camera: Camera, api: Api, atMs: number | null, nowMs: number) {
    this.#camera = camera;
    this.cameraId = camera.id;
    this.#api = api;
    this.#wishMs = atMs;
    this.#nowMs = nowMs;
    this.#day = dayOf(atMs ?? nowMs);
    this.#picture = new Picture(camera);
    this.#player = new Player({
      video: this.#picture.video,
      cameraId: camera.id,
      livePlaylist: camera.playlist,
      ask: (url) => this.#api.ask(url),
    });
    this.#controls = this.#makeControls();
    this.#strip = new DayStrip(this.#day, (chosenMs) => { this.#choose(chosenMs); });
    this.#picture.frame.addEventListener('click', () => { this.#togglePlay(); });
    this.root = this.#layOut();
    enter(camera.id, this.#player);
    this.#show(camera);
  }

  /** The hash named another moment of this camera: somebody followed a link or pressed "back". */
  go(atMs: number | null): void {
    this.#wishMs = atMs;
    this.#started = false;
    this.#playWhenThereIsFootage();
  }

  update(cameras: readonly Camera[]): void {
    const camera = cameras.find((each) => each.id === this.cameraId);
    if (camera !== undefined) this.#show(camera);
  }

  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#player.tick(this.#camera.lastMs);
    const player = this.#started ? this.#player : null;
    this.#picture.show(this.#camera, player, nowMs);
    const pictureMs = this.#player.pictureMs;
    this.#followDay(pictureMs ?? this.#wishMs ?? nowMs);
    this.#strip.show(pictureMs, nowMs);
    this.#controls.show({
      paused: this.#player.paused,
      live: this.#player.live && !this.#player.paused,
      muted: this.#picture.video.muted,
      hasSound: this.#camera.audio !== null,
    });
    if (pictureMs !== null) this.#controls.setClock(clockOf(pictureMs));
    this.#rememberPosition(pictureMs);
    if (performance.now() - this.#spansAskedMonoMs >= SPANS_EVERY_MS) void this.#refreshSpans();
  }

  close(): void {
    this.#closed = true;
    leave(this.cameraId, this.#player);
    this.#strip.close();
    this.#player.close();
  }

  #layOut(): HTMLElement {
    const nowLine = make('p', { class: 'now-line' }, this.#picture.time, this.#picture.latency);
    const address = new URL(this.#camera.playlist, window.location.href).href;
    return make(
      'section',
      { class: 'camera', 'data-camera': this.cameraId },
      make('div', { class: 'row' }, make('a', { class: 'back', href: '#/' }, '← All cameras'), this.#badge),
      make('div', { class: 'row' }, this.#name, nowLine),
      this.#picture.frame,
      this.#why,
      this.#controls.root,
      make('div', { class: 'row' }, this.#dayLabel, this.#note),
      this.#strip.root,
      this.#facts,
      make('p', { class: 'quiet' }, 'In VLC, open ', make('code', { 'data-testid': 'address' }, address)),
    );
  }

  #makeControls(): Controls {
    return new Controls({
      togglePlay: () => { this.#togglePlay(); },
      goLive: () => { this.#goLive(); },
      step: (byMs) => { this.#choose((this.#player.pictureMs ?? this.#nowMs) + byMs); },
      toggleSound: () => { this.#picture.video.muted = !this.#picture.video.muted; },
      fillScreen: () => { void this.#picture.video.requestFullscreen(); },
      playFromClock: (clock) => {
        const chosenMs = instantOfClock(this.#day, clock);
        if (chosenMs !== null) this.#choose(chosenMs);
      },
    });
  }

  #show(camera: Camera): void {
    this.#camera = camera;
    this.root.dataset['state'] = camera.state;
    say(this.#name, camera.name);
    document.title = `${camera.name} – hlscam`;
    say(this.#badge, stateWord(camera));
    sayOrHide(this.#why, whyWords(camera));
    sayOrHide(this.#facts, camera.video === null ? '' : factWords(camera.video, camera.audio));
    this.#playWhenThereIsFootage();
  }

  #playWhenThereIsFootage(): void {
    const { lastMs, state } = this.#camera;
    if (this.#started || lastMs === null || (state === 'disabled' && this.#wishMs === null)) return;
    this.#started = true;
    // A link into the future, or past the end of what a camera recorded, means live.
    if (this.#wishMs !== null && this.#wishMs >= lastMs) this.#wishMs = null;
    this.#player.play(this.#wishMs);
  }

  #togglePlay(): void {
    if (!this.#player.paused) {
      this.#player.pause();
      this.#hashWrittenMonoMs = -Infinity;
      this.#rememberPosition(this.#player.pictureMs);
    } else {
      this.#player.resume();
    }
    this.tick(this.#nowMs);
  }

  #choose(chosenMs: number): void {
    const { lastMs } = this.#camera;
    const footageMs = lastMs === null || chosenMs >= lastMs ? null : snapToFootage(this.#spans, chosenMs);
    if (footageMs === null && (lastMs === null || chosenMs >= lastMs)) {
      this.#goLive(chosenMs > this.#nowMs + 1000 ? 'That has not happened yet. This is live.' : '');
      return;
    }
    const moved = footageMs !== null && footageMs - chosenMs >= 1000;
    const note = moved ? `Nothing was recorded then. The next footage is from ${clockOf(footageMs)}.` : '';
    this.#playFrom(footageMs ?? chosenMs, note);
  }

  #playFrom(atMs: number, note = ''): void {
    say(this.#note, note);
    this.#wishMs = atMs;
    this.#started = true;
    this.#writeHash(atMs, 'push');
    this.#player.play(atMs);
    this.tick(this.#nowMs);
  }

  #goLive(note = ''): void {
    say(this.#note, note);
    this.#wishMs = null;
    this.#writeHash(null, 'push');
    this.#started = false;
    this.#playWhenThereIsFootage();
    this.tick(this.#nowMs);
  }

  #rememberPosition(pictureMs: number | null): void {
    if (pictureMs === null || (this.#player.live && !this.#player.paused)) return;
    if (performance.now() - this.#hashWrittenMonoMs >= HASH_EVERY_MS) this.#writeHash(pictureMs, 'replace');
  }

  /** `pushState` and `replaceState` raise no hashchange, so writing the position does not play it again. */
  #writeHash(atMs: number | null, how: 'push' | 'replace'): void {
    this.#hashWrittenMonoMs = performance.now();
    const wholeSecondsMs = atMs === null ? null : Math.floor(atMs / 1000) * 1000;
    const hash = formatHash({ page: 'camera', id: this.cameraId, atMs: wholeSecondsMs });
    if (how === 'push') history.pushState(null, '', hash);
    else history.replaceState(null, '', hash);
  }

  #followDay(shownMs: number): void {
    say(this.#dayLabel, dayWords(shownMs, this.#nowMs));
    if (contains(this.#day, shownMs)) return;
    this.#day = dayOf(shownMs);
    this.#strip.setDay(this.#day);
    this.#strip.setSpans([]);
    this.#spansAskedMonoMs = -Infinity;
  }

  async #refreshSpans(): Promise<void> {
    this.#spansAskedMonoMs = performance.now();
    const day = this.#day;
    try {
      const spans = await this.#api.spans(this.cameraId, day.startMs, day.endMs);
      if (this.#closed || day !== this.#day) return;
      this.#spans = spans;
      this.#strip.setSpans(spans);
    } catch {
      // The list of cameras is asked more often and tells of a lost server; the strip keeps what it knows.
    }
  }
}
