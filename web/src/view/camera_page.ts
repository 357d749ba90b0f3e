/**
 * One camera, big: live, or any moment of the day.
 *
 * The position is the URL's: choosing a moment writes `?at=` into the hash, and while the past plays, or a picture is
 * paused, the hash follows it (`place_keeper.ts`), so that a reload goes on from there. Live has no `?at=`.
 */
import type { Api } from '../api/client';
import type { Camera, Timeline } from '../api/types';
import { clockOf, contains, dayOf, instantOfClock, snapToFootage, type Day } from '../model/day';
import { gapNear } from '../model/gaps';
import { WAYS } from '../model/way';
import { dayWords, factWords, gapWords, stateWords, whyWords } from '../model/words';
import { Player } from '../player/player';
import { enter, leave } from '../player/registry';
import { Controls } from './controls';
import { DayStrip } from './day_strip';
import { make, say, sayOrHide } from './dom';
import { GapList } from './gap_list';
import { Picture } from './picture';
import { PlaceKeeper } from './place_keeper';
import type { View } from './view';

const TIMELINE_EVERY_MS = 5000;
const NO_FOOTAGE: Timeline = { spans: [], gaps: [] };

/** Where to begin: a moment, or live (null). */
export interface Start {
  readonly atMs: number | null;
  readonly paused: boolean;
}

export class CameraPage implements View {
  readonly root: HTMLElement;
  readonly cameraId: string;
  readonly #api: Api;
  readonly #picture: Picture;
  readonly #player: Player;
  readonly #controls: Controls;
  readonly #strip: DayStrip;
  readonly #gapList: GapList;
  readonly #keeper: PlaceKeeper;
  readonly #closing = new AbortController();
  readonly #name = make('h1');
  readonly #badge = make('span', { class: 'badge', 'data-testid': 'state' });
  readonly #why = make('p', { class: 'why' });
  readonly #dayLabel = make('p', { class: 'day' });
  readonly #note = make('p', { class: 'note', role: 'status', 'data-testid': 'note' });
  readonly #facts = make('p', { class: 'quiet' });
  #camera: Camera;
  #day: Day;
  #timeline = NO_FOOTAGE;
  #wish: Start;
  #nowMs: number;
  #started = false;
  #timelineAskedMonoMs = -Infinity;

  constructor(camera: Camera, api: Api, start: Start, nowMs: number) {
    this.#camera = camera;
    this.cameraId = camera.id;
    this.#api = api;
    this.#wish = start;
    this.#nowMs = nowMs;
    this.#day = dayOf(start.atMs ?? nowMs);
    this.#keeper = new PlaceKeeper(camera.id);
    this.#picture = new Picture(camera);
    this.#player = new Player({
      video: this.#picture.video,
      cameraId: camera.id,
      livePlaylist: camera.playlist,
      ways: WAYS,
      ask: (url) => this.#api.ask(url),
      onServerTime: (serverMs, sentMs, receivedMs) => { this.#api.observeTime(serverMs, sentMs, receivedMs); },
    });
    this.#controls = this.#makeControls();
    this.#strip = new DayStrip(this.#day, (chosenMs) => { this.#choose(chosenMs); });
    this.#gapList = new GapList((chosenMs) => { this.#choose(chosenMs); });
    this.#picture.frame.addEventListener('click', () => { this.#togglePlay(); });
    this.root = this.#layOut();
    enter(camera.id, this.#player);
    this.#keepPlaceWhenLeft();
    this.#show(camera);
  }

  /** The hash named another moment of this camera: somebody followed a link or pressed "back". */
  go(atMs: number | null): void {
    this.#wish = { atMs, paused: false };
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
    this.#followDay(pictureMs ?? this.#wish.atMs ?? nowMs);
    say(this.#badge, stateWords(this.#camera, nowMs));
    this.#strip.show(pictureMs, nowMs);
    this.#gapList.show(this.#day, this.#timeline.gaps, nowMs);
    this.#controls.show({
      paused: this.#player.paused,
      live: this.#player.live && !this.#player.paused,
      muted: this.#picture.video.muted,
      hasSound: this.#camera.audio !== null,
    });
    if (pictureMs !== null) this.#controls.setClock(clockOf(pictureMs));
    const place = this.#place();
    if (place !== null) this.#keeper.keep(place.atMs, place.paused);
    if (performance.now() - this.#timelineAskedMonoMs >= TIMELINE_EVERY_MS) void this.#refreshTimeline();
  }

  close(): void {
    this.#closing.abort();
    leave(this.cameraId, this.#player);
    this.#strip.close();
    this.#player.close();
  }

  #layOut(): HTMLElement {
    const nowLine = make('p', { class: 'now-line' }, this.#picture.time, this.#picture.latency, this.#picture.way);
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
      this.#gapList.root,
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
    sayOrHide(this.#why, whyWords(camera));
    sayOrHide(this.#facts, camera.video === null ? '' : factWords(camera.video, camera.audio, camera.clock));
    this.#playWhenThereIsFootage();
  }

  #playWhenThereIsFootage(): void {
    const { lastMs, state } = this.#camera;
    if (this.#started || lastMs === null || (state === 'disabled' && this.#wish.atMs === null)) return;
    this.#started = true;
    // A link into the future, or past the end of what a camera recorded, means live.
    if (this.#wish.atMs !== null && this.#wish.atMs > lastMs) this.#wish = { atMs: null, paused: false };
    this.#player.play(this.#wish.atMs, this.#wish.paused);
  }

  #togglePlay(): void {
    if (this.#player.paused) this.#player.resume();
    else this.#player.pause();
    const place = this.#place();
    if (place !== null) this.#keeper.keepNow(place.atMs, place.paused);
    this.tick(this.#nowMs);
  }

  #choose(chosenMs: number): void {
    const { lastMs } = this.#camera;
    const gap = gapNear(this.#timeline.gaps, chosenMs, 0, this.#nowMs);
    const why = gap === null ? '' : `: ${gapWords(gap, this.#day, this.#nowMs)}`;
    if (lastMs === null || chosenMs >= lastMs) {
      const early = chosenMs > this.#nowMs + 1000 ? 'That has not happened yet. This is live.' : '';
      this.#goLive(gap === null ? early : `Nothing was recorded then${why}.`);
      return;
    }
    // What is known of other days is the server's knowledge: it begins with the next footage by itself.
    const footageMs = contains(this.#day, chosenMs) ? snapToFootage(this.#timeline.spans, chosenMs) : null;
    const moved = footageMs !== null && footageMs - chosenMs >= 1000;
    const note = moved ? `Nothing was recorded then${why}. The next footage is from ${clockOf(footageMs)}.` : '';
    this.#playFrom(footageMs ?? chosenMs, note);
  }

  #playFrom(atMs: number, note = ''): void {
    say(this.#note, note);
    this.#wish = { atMs, paused: false };
    this.#started = true;
    this.#keeper.enter(atMs);
    this.#player.play(atMs);
    this.tick(this.#nowMs);
  }

  #goLive(note = ''): void {
    say(this.#note, note);
    this.#wish = { atMs: null, paused: false };
    this.#keeper.enter(null);
    this.#started = false;
    this.#playWhenThereIsFootage();
    this.tick(this.#nowMs);
  }

  /** What to keep of where the viewer is; null while nothing is shown, so that what was kept stays. */
  #place(): Start | null {
    const { pictureMs, paused, live } = this.#player;
    if (!this.#started || (pictureMs === null && !live)) return null;
    return { atMs: live && !paused ? null : pictureMs, paused };
  }

  /** Leaving is the last chance, and browsers tell of it in two ways. */
  #keepPlaceWhenLeft(): void {
    const { signal } = this.#closing;
    const keep = (): void => {
      const place = this.#place();
      if (place !== null) this.#keeper.keepExactly(place.atMs, place.paused);
    };
    window.addEventListener('pagehide', keep, { signal });
    document.addEventListener('visibilitychange', () => { if (document.hidden) keep(); }, { signal });
  }

  #followDay(shownMs: number): void {
    say(this.#dayLabel, dayWords(shownMs, this.#nowMs));
    if (contains(this.#day, shownMs)) return;
    this.#day = dayOf(shownMs);
    this.#strip.setDay(this.#day);
    this.#take(NO_FOOTAGE);
    this.#timelineAskedMonoMs = -Infinity;
  }

  async #refreshTimeline(): Promise<void> {
    this.#timelineAskedMonoMs = performance.now();
    const day = this.#day;
    try {
      const timeline = await this.#api.timeline(this.cameraId, day.startMs, day.endMs);
      if (!this.#closing.signal.aborted && day === this.#day) this.#take(timeline);
    } catch {
      // The list of cameras is asked more often and tells of a lost server; the strip keeps what it knows.
    }
  }

  #take(timeline: Timeline): void {
    this.#timeline = timeline;
    this.#strip.setTimeline(timeline, this.#nowMs);
    this.#gapList.show(this.#day, timeline.gaps, this.#nowMs);
  }
}
