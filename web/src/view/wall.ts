/** All cameras, live, as a grid of cards. */
import type { Api } from '../api/client';
import type { Camera } from '../api/types';
import { Card } from './card';
import { make } from './dom';
import type { View } from './view';

const EXAMPLE = `cameras:
  porch:
    name: Front porch
    source: "rtsp://viewer:\${PORCH_PASSWORD}@192.168.1.20/stream1"`;

export class Wall implements View {
  readonly root: HTMLElement;
  readonly #api: Api;
  readonly #grid = make('section', { class: 'grid', 'aria-label': 'Cameras' });
  readonly #empty = emptyState();
  readonly #cards = new Map<string, Card>();
  readonly #onScreen: IntersectionObserver;

  constructor(api: Api) {
    this.#api = api;
    this.#empty.hidden = true;
    this.root = make('div', { class: 'wall' }, this.#grid, this.#empty);
    this.#onScreen = new IntersectionObserver((entries) => { this.#seen(entries); }, { rootMargin: '200px' });
  }

  update(cameras: readonly Camera[]): void {
    this.#empty.hidden = cameras.length > 0;
    const ids = new Set(cameras.map((camera) => camera.id));
    for (const [id, card] of this.#cards) if (!ids.has(id)) this.#remove(id, card);
    cameras.forEach((camera, index) => {
      const card = this.#cards.get(camera.id) ?? this.#add(camera);
      card.update(camera);
      // A video that is taken out of the page and put back pauses: move only what is out of place.
      const there = this.#grid.children[index] ?? null;
      if (there !== card.root) this.#grid.insertBefore(card.root, there);
    });
  }

  tick(nowMs: number): void {
    for (const card of this.#cards.values()) card.tick(nowMs);
  }

  close(): void {
    this.#onScreen.disconnect();
    for (const [id, card] of this.#cards) this.#remove(id, card);
  }

  #add(camera: Camera): Card {
    const card = new Card(camera, this.#api);
    this.#cards.set(camera.id, card);
    this.#grid.append(card.root);
    this.#onScreen.observe(card.root);
    return card;
  }

  #remove(id: string, card: Card): void {
    this.#onScreen.unobserve(card.root);
    this.#cards.delete(id);
    card.close();
  }

  #seen(entries: readonly IntersectionObserverEntry[]): void {
    for (const entry of entries) {
      const id = (entry.target as HTMLElement).dataset['camera'] ?? '';
      this.#cards.get(id)?.setOnScreen(entry.isIntersecting);
    }
  }
}

function emptyState(): HTMLElement {
  return make(
    'section',
    { class: 'empty', 'data-testid': 'empty' },
    make('h2', {}, 'No cameras yet'),
    make('p', {}, 'Add one to ', make('code', {}, 'hlscam.yaml'), ' and start hlscam again:'),
    make('pre', {}, make('code', {}, EXAMPLE)),
    make('p', { class: 'quiet' }, 'The password comes from the environment, so it need not stand in the file.'),
  );
}
