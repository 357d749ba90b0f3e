/**
 * The day as a strip: where footage is and why not, where the picture is, where now is. Click or drag to choose a
 * moment; it is a slider for the keyboard and for screen readers.
 */
import type { Gap, Span, Timeline } from '../api/types';
import { clipSpans, clockOf, fractionOf, hourTicks, instantAt, type Day } from '../model/day';
import { gapEndMs, gapNear, gapsOf, isPlanned } from '../model/gaps';
import { clockWords, gapWords } from '../model/words';
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
/** A gap of a minute is narrower than a pixel: the pointer need not hit it. */
const GAP_REACH_PX = 4;

export class DayStrip {
  readonly root: HTMLElement;
  readonly #onChoose: (atMs: number) => void;
  readonly #spans = make('div', { class: 'spans' });
  readonly #gapMarks = make('div', { class: 'gaps' });
  readonly #ticks = make('div', { class: 'ticks', 'aria-hidden': 'true' });
  readonly #cursor = make('div', { class: 'cursor' });
  readonly #now = make('div', { class: 'now' });
  readonly #hoverWords = make('span');
  readonly #hover = make('div', { class: 'hover', hidden: true, 'data-testid': 'hover' }, this.#hoverWords);
  readonly #bar: HTMLElement;
  #day: Day;
  #gaps: readonly Gap[] = [];
  #pictureMs: number | null = null;
  #nowMs = 0;
  #keyWishMs: number | null = null;
  #keyTimer = 0;

  constructor(day: Day, onChoose: (atMs: number) => void) {
    this.#onChoose = onChoose;
    this.#bar = make(
      'div',
      { class: 'bar', role: 'slider', tabindex: '0', 'aria-label': 'Time of day', 'data-testid': 'strip' },
      this.#spans, this.#gapMarks, this.#now, this.#cursor, this.#hover,
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

  setTimeline(timeline: Timeline, nowMs: number): void {
    this.#gaps = gapsOf(this.#day, timeline.gaps, nowMs);
    this.#spans.replaceChildren(...clipSpans(this.#day, timeline.spans).map((span) => {
      return this.#stretch(make('div', { class: 'span', 'data-testid': 'span' }), span);
    }));
    this.#gapMarks.replaceChildren(...this.#gaps.map((gap) => {
      const mark = make('div', { class: isPlanned(gap) ? 'gap planned' : 'gap', 'data-testid': 'gap-mark' });
      return this.#stretch(mark, { startMs: gap.startMs, endMs: gapEndMs(gap, nowMs) });
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
    const gap = gapNear(this.#gaps, shownMs, 0, nowMs);
    const why = gap === null ? '' : `, ${gapWords(gap, this.#day, nowMs)}`;
    this.#bar.setAttribute('aria-valuetext', clockWords(shownMs, nowMs) + why);
  }

  close(): void {
    window.clearTimeout(this.#keyTimer);
  }

  #listen(): void {
    const bar = this.#bar;
    bar.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      bar.setPointerCapture(event.pointerId);
      this.#hoverAt(this.#instantUnder(event));
    });
    bar.addEventListener('pointermove', (event) => { this.#hoverAt(this.#instantUnder(event)); });
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

  #hoverAt(instantMs: number): void {
    const fraction = fractionOf(this.#day, instantMs);
    const reachMs = (this.#day.endMs - this.#day.startMs) * GAP_REACH_PX / this.#bar.clientWidth;
    const gap = gapNear(this.#gaps, instantMs, reachMs, this.#nowMs);
    const why = gap === null ? '' : ` · ${gapWords(gap, this.#day, this.#nowMs)}`;
    this.#hover.hidden = false;
    place(this.#hover, fraction);
    this.#hoverWords.style.transform = `translateX(-${percent(fraction)})`; // never beyond the strip's ends
    say(this.#hoverWords, clockOf(instantMs) + why);
  }

  #stretch(element: HTMLElement, span: Span): HTMLElement {
    const startFraction = fractionOf(this.#day, span.startMs);
    place(element, startFraction);
    element.style.width = percent(fractionOf(this.#day, span.endMs) - startFraction);
    return element;
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
    this.#hoverAt(this.#keyWishMs);
    window.clearTimeout(this.#keyTimer);
    this.#keyTimer = window.setTimeout(() => { this.#settleKeys(); }, KEYS_SETTLE_MS);
  }

  #settleKeys(): void {
    const wishMs = this.#keyWishMs;
    this.#keyWishMs = null;
    this.#hover.hidden = true;
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
