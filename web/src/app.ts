/**
 * The page's script: ask for the cameras every few seconds, show the view that the URL names, and say quietly when
 * the server does not answer. A lost server changes nothing on the page but the banner; when it is back, players
 * need not wait.
 */
import { Api, ServerLost } from './api/client';
import type { Camera } from './api/types';
import { Backoff } from './model/backoff';
import type { Place } from './model/place';
import { parseHash, type Route } from './model/route';
import { ServerClock } from './model/server_clock';
import { countWords } from './model/words';
import { allPlayers } from './player/registry';
import { CameraPage } from './view/camera_page';
import { make, say, sayOrHide } from './view/dom';
import { keptPlace } from './view/place_keeper';
import type { View } from './view/view';
import { Wall } from './view/wall';
import { onWake } from './wake';

const CAMERAS_EVERY_MS = 3000;
const TICK_EVERY_MS = 500;
/** One lost answer is a hiccup; two are news. */
const TELL_AFTER_LOSSES = 2;

export interface Places {
  readonly app: HTMLElement;
  readonly banner: HTMLElement;
  readonly count: HTMLElement;
}

export class App {
  readonly #places: Places;
  readonly #clock = new ServerClock();
  readonly #api = new Api(this.#clock);
  readonly #backoff = new Backoff(1000, 8000);
  #cameras: readonly Camera[] | null = null;
  #view: View | null = null;
  /** What this tab kept before it was loaded anew; for the first view only. */
  #kept: Place | null = keptPlace(window.location.hash);
  #pollTimer = 0;

  constructor(places: Places) {
    this.#places = places;
  }

  start(): void {
    window.addEventListener('hashchange', () => { this.#route(); });
    onWake(() => { this.#hurry(); });
    window.setInterval(() => this.#view?.tick(this.#clock.now()), TICK_EVERY_MS);
    void this.#poll();
  }

  async #poll(): Promise<void> {
    window.clearTimeout(this.#pollTimer);
    let pauseMs = CAMERAS_EVERY_MS;
    try {
      const cameras = await this.#api.cameras();
      this.#answered();
      this.#take(cameras);
    } catch (error) {
      pauseMs = this.#backoff.next();
      this.#lost(error);
    }
    window.clearTimeout(this.#pollTimer);
    this.#pollTimer = window.setTimeout(() => void this.#poll(), pauseMs);
  }

  #answered(): void {
    const wasLost = this.#backoff.tries > 0;
    this.#backoff.reset();
    sayOrHide(this.#places.banner, '');
    delete document.body.dataset['lost'];
    if (wasLost) retryPlayers();
  }

  #hurry(): void {
    retryPlayers();
    void this.#poll();
  }

  #lost(error: unknown): void {
    if (error instanceof ServerLost && this.#cameras !== null && this.#backoff.tries < TELL_AFTER_LOSSES) return;
    sayOrHide(this.#places.banner, error instanceof Error ? error.message : String(error));
    document.body.dataset['lost'] = ''; // what is said of the cameras is of before
  }

  #take(cameras: readonly Camera[]): void {
    const first = this.#cameras === null;
    this.#cameras = cameras;
    say(this.#places.count, countWords(cameras));
    if (first || this.#view === null) this.#route();
    else this.#view.update(cameras);
    this.#view?.tick(this.#clock.now());
  }

  #route(): void {
    const route = parseHash(window.location.hash);
    const view = this.#view;
    if (view instanceof CameraPage && route.page === 'camera' && route.id === view.cameraId) {
      view.go(route.atMs);
      return;
    }
    view?.close();
    this.#view = this.#viewFor(route);
    this.#kept = null;
    this.#places.app.replaceChildren(this.#view?.root ?? notFound());
    this.#view?.update(this.#cameras ?? []);
    this.#view?.tick(this.#clock.now());
    window.scrollTo(0, 0);
  }

  /** Null when the URL names a camera that is not there. */
  #viewFor(route: Route): View | null {
    if (route.page === 'wall') {
      document.title = 'hlscam';
      return new Wall(this.#api);
    }
    const camera = this.#cameras?.find((each) => each.id === route.id);
    if (camera === undefined) return null;
    const kept = this.#kept?.hash === window.location.hash ? this.#kept : null;
    const start = kept ?? { atMs: route.atMs, paused: false };
    return new CameraPage(camera, this.#api, start, this.#clock.now());
  }
}

function retryPlayers(): void {
  for (const player of allPlayers()) player.retryNow();
}

function notFound(): HTMLElement {
  return make(
    'section',
    { class: 'empty', 'data-testid': 'not-found' },
    make('h2', {}, 'There is no camera of that name'),
    make('p', {}, make('a', { href: '#/' }, 'All cameras')),
  );
}
