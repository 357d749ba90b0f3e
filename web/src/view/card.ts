/** One camera on the wall: its live picture, name and state; a link to its own page. */
import type { Api } from '../api/client';
import type { Camera } from '../api/types';
import { formatHash } from '../model/route';
import { WALL_WAYS } from '../model/way';
import { stateWord, stateWords, whyWords } from '../model/words';
import { Player } from '../player/player';
import { enter, leave } from '../player/registry';
import { make, say, sayOrHide } from './dom';
import { Picture } from './picture';

export class Card {
  readonly root: HTMLElement;
  readonly #api: Api;
  readonly #picture: Picture;
  readonly #name = make('h2', { class: 'name' });
  readonly #badge = make('span', { class: 'badge', 'data-testid': 'state' });
  readonly #why = make('p', { class: 'why' });
  readonly #link: HTMLAnchorElement;
  #camera: Camera;
  #onScreen = false;
  #player: Player | null = null;

  constructor(camera: Camera, api: Api) {
    this.#camera = camera;
    this.#api = api;
    this.#picture = new Picture(camera);
    this.#link = make(
      'a',
      { class: 'card-link', href: formatHash({ page: 'camera', id: camera.id, atMs: null }) },
      this.#picture.frame,
      make('div', { class: 'row' }, this.#name, this.#badge),
      make('div', { class: 'row quiet' }, this.#picture.time, this.#picture.latency, this.#picture.way),
      this.#why,
    );
    this.root = make('article', { class: 'card', 'data-camera': camera.id }, this.#link);
    this.update(camera);
  }

  update(camera: Camera): void {
    this.#camera = camera;
    this.root.dataset['state'] = camera.state;
    say(this.#name, camera.name);
    sayOrHide(this.#why, whyWords(camera));
    this.#link.setAttribute('aria-label', `${camera.name}, ${stateWord(camera).toLowerCase()}. Open.`);
    this.#playIfWanted();
  }

  /** A card that is scrolled away does not load or decode. */
  setOnScreen(onScreen: boolean): void {
    this.#onScreen = onScreen;
    this.#playIfWanted();
  }

  tick(nowMs: number): void {
    this.#player?.tick(this.#camera.lastMs);
    say(this.#badge, stateWords(this.#camera, nowMs));
    this.#picture.show(this.#camera, this.#player, nowMs);
  }

  close(): void {
    this.#stop();
    this.root.remove();
  }

  #playIfWanted(): void {
    const wanted = this.#onScreen && this.#camera.lastMs !== null && this.#camera.state !== 'disabled';
    if (wanted && this.#player === null) this.#start();
    else if (!wanted) this.#stop();
  }

  #start(): void {
    this.#player = new Player({
      video: this.#picture.video,
      cameraId: this.#camera.id,
      livePlaylist: this.#camera.playlist,
      ways: WALL_WAYS,
      ask: (url) => this.#api.ask(url),
      onServerTime: (serverMs, sentMs, receivedMs) => { this.#api.observeTime(serverMs, sentMs, receivedMs); },
    });
    enter(this.#camera.id, this.#player);
    this.#player.play(null);
  }

  #stop(): void {
    if (this.#player === null) return;
    leave(this.#camera.id, this.#player);
    this.#player.close();
    this.#player = null;
  }
}
