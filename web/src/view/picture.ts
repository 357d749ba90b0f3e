/**
 * The picture of one camera with what is said about it: shared by the cards of the wall and the page of one
 * camera.
 */
import type { Camera } from '../api/types';
import { formatInstant } from '../model/instant';
import { clockWords, latencyWords, veilWords } from '../model/words';
import { wayWords } from '../model/way';
import type { Player } from '../player/player';
import { make, makeVideo, say, sayOrHide } from './dom';

export class Picture {
  readonly video: HTMLVideoElement;
  readonly frame: HTMLElement;
  readonly time: HTMLTimeElement;
  readonly latency: HTMLElement;
  readonly way: HTMLElement;
  readonly #veil: HTMLElement;

  constructor(camera: Camera) {
    this.video = makeVideo(`Picture of ${camera.name}`);
    this.#veil = make('p', { class: 'veil' });
    this.frame = make('div', { class: 'picture' }, this.video, this.#veil);
    this.time = make('time', { class: 'clock', 'data-testid': 'picture-time' });
    this.way = make('small', { class: 'way', 'data-testid': 'way', title: 'How the picture comes here' });
    this.latency = make('span', { class: 'latency', 'data-testid': 'latency' });
  }

  /** Says what is to be said now. Without a player there is nothing to play yet. */
  show(camera: Camera, player: Player | null, nowMs: number): void {
    const pictureMs = player?.pictureMs ?? null;
    const live = player === null || (player.live && !player.paused);
    const trouble = player?.trouble ?? null;
    sayOrHide(this.#veil, veilWords(camera, player?.live ?? true, pictureMs !== null, trouble));
    this.#veil.classList.toggle('over-picture', pictureMs !== null);
    say(this.latency, latencyWords(camera, live, trouble !== null, pictureMs, nowMs));
    const way = player?.way ?? null;
    sayOrHide(this.way, way === null ? '' : wayWords(way));
    const healthy = camera.state === 'recording' && pictureMs !== null && trouble === null;
    this.latency.classList.toggle('is-live', live && healthy);
    if (pictureMs === null) {
      say(this.time, '');
      this.time.removeAttribute('datetime');
    } else {
      say(this.time, clockWords(pictureMs, nowMs));
      this.time.dateTime = formatInstant(pictureMs);
    }
  }
}
