/**
 * The day as a strip: where footage is, where the picture is, where now is. Click or drag to choose a moment; it
 * is a slider for the keyboard and for screen readers.
 */
import type { Span } from '../api/types';
import { clipSpans, clockOf, fractionOf, hourTicks, instantAt, type Day } from '../model/day';
import { clockWords } from '../model/words';
import { make, say } from './dom';

const KEY_STEPS_MS: Readonly<Record<string, number>> = {
  ArrowLeft: -10_000,
  ArrowDown: -10_000,
  ArrowRight: 10_000,
  ArrowUp: 10_000,
  PageDown: -600_000,
  PageUp: 600_000,
};
const KEYS_SETTLE_MS = 400;

export class DayStrip {
  readonly root: HTMLElement;
  readonly #onChoose: (atMs: number) => void;
  readonly #spans = make('div', { class: 'spans' });
  readonly #ticks = make('div', { class: 'ticks', 'aria-hidden': 'true' });
  readonly #cursor = make('div', { class: 'cursor' });
  readonly #now = make('div', { class: 'now' });
  readonly #hover = make('div', { class: 'hover', hidden: true }, make('span'));
  readonly #bar: HTMLElement;
  #day: Day;
  #pictureMs: number | null = null;
  #nowMs = 0;
  #keyWishMs: number | null = null;
  #keyTimer = 0;

  constructor(day: Day, onChoose: (atMs: number) => void) {
    this.#onChoose = onChoose;
    this.#bar = make(
      'div',
      { class: 'bar', role: 'slider', tabindex: '0', 'aria-label': 'Time of day', 'data-testid': 'strip' },
      this.#spans, this.#now, this.#cursor, this.#hover,
    );
    this.root = make('div', { class: 'strip' }, this.#bar, this.#ticks);
    this.#day = day;
    this.setDay(day);
    this.#listen();
  }

  setDay(day: Day): void {
    this.#day = day;
    this.#bar.setAttribute('aria-valuemin', '0');
    this.#bar.setAttribute('aria-valuemax', String((day.endMs - day.startMs) / 1000));
    this.#ticks.replaceChildren(...hourTicks(day, 1).map((tick) => {
      const label = make('span', { class: Number(tick.label) % 6 === 0 ? 'tick major' : 'tick' }, tick.label);
      place(label, tick.fraction);
      return label;
    }));
  }

  setSpans(spans: readonly Span[]): void {
    this.#spans.replaceChildren(...clipSpans(this.#day, spans).map((span) => {
      const startFraction = fractionOf(this.#day, span.startMs);
      const element = make('div', { class: 'span', 'data-testid': 'span' });
      place(element, startFraction);
      element.style.width = percent(fractionOf(this.#day, span.endMs) - startFraction);
      return element;
    }));
  }

  /** Moves the marks of the picture and of now. */
  show(pictureMs: number | null, nowMs: number): void {
    this.#pictureMs = pictureMs;
    this.#nowMs = nowMs;
    const shownMs = this.#keyWishMs ?? pictureMs;
    this.#cursor.hidden = shownMs === null;
    place(this.#cursor, fractionOf(this.#day, shownMs ?? this.#day.startMs));
    this.#now.hidden = !(this.#day.startMs <= nowMs && nowMs < this.#day.endMs);
    place(this.#now, fractionOf(this.#day, nowMs));
    if (shownMs === null) return;
    this.#bar.setAttribute('aria-valuenow', String(Math.floor((shownMs - this.#day.startMs) / 1000)));
    this.#bar.setAttribute('aria-valuetext', clockWords(shownMs, nowMs));
  }

  close(): void {
    window.clearTimeout(this.#keyTimer);
  }

  #listen(): void {
    const bar = this.#bar;
    bar.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      bar.setPointerCapture(event.pointerId);
      this.#hoverAt(event);
    });
    bar.addEventListener('pointermove', (event) => { this.#hoverAt(event); });
    bar.addEventListener('pointerleave', () => { this.#hover.hidden = true; });
    bar.addEventListener('pointerup', (event) => {
      if (!bar.hasPointerCapture(event.pointerId)) return;
      this.#onChoose(this.#instantUnder(event));
      if (event.pointerType !== 'mouse') this.#hover.hidden = true;
    });
    bar.addEventListener('keydown', (event) => { this.#onKey(event); });
  }

  #instantUnder(event: PointerEvent): number {
    const box = this.#bar.getBoundingClientRect();
    return instantAt(this.#day, (event.clientX - box.left) / box.width);
  }

  #hoverAt(event: PointerEvent): void {
    const instantMs = this.#instantUnder(event);
    const fraction = fractionOf(this.#day, instantMs);
    this.#hover.hidden = false;
    place(this.#hover, fraction);
    this.#hover.classList.toggle('at-left', fraction < 0.1);
    this.#hover.classList.toggle('at-right', fraction > 0.9);
    say(this.#hover.firstElementChild as HTMLElement, clockOf(instantMs));
  }

  /**
   * Keys move the mark at once; playing follows when they rest, so that holding a key down does not load a hundred
   * times.
   */
  #onKey(event: KeyboardEvent): void {
    const fromMs = this.#keyWishMs ?? this.#pictureMs ?? this.#nowMs;
    const stepMs = KEY_STEPS_MS[event.key];
    let wishMs: number;
    if (stepMs !== undefined) wishMs = fromMs + stepMs;
    else if (event.key === 'Home') wishMs = this.#day.startMs;
    else if (event.key === 'End') wishMs = this.#day.endMs - 1000;
    else return;
    event.preventDefault();
    this.#keyWishMs = Math.min(Math.max(wishMs, this.#day.startMs), this.#day.endMs - 1000);
    this.show(this.#pictureMs, this.#nowMs);
    window.clearTimeout(this.#keyTimer);
    this.#keyTimer = window.setTimeout(() => { this.#settleKeys(); }, KEYS_SETTLE_MS);
  }

  #settleKeys(): void {
    const wishMs = this.#keyWishMs;
    this.#keyWishMs = null;
    if (wishMs !== null) this.#onChoose(wishMs);
  }
}

function percent(fraction: number): string {
  return `${(fraction * 100).toFixed(4)}%`;
}

/** Through the CSSOM, which a strict Content-Security-Policy allows; a style attribute it would not. */
function place(element: HTMLElement, fraction: number): void {
  element.style.left = percent(fraction);
}
