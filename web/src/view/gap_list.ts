/**
 * The gaps of a day in words, below its strip: for the keyboard, for screen readers, and for gaps too narrow to be
 * pointed at. Each is a button that plays the moments before it.
 */
import type { Gap } from '../api/types';
import type { Day } from '../model/day';
import { gapsDurationMs, gapsOf, isPlanned } from '../model/gaps';
import { capital, gapTimeWords, reasonWords, sentence, spanWords } from '../model/words';
import { make, say, sayOrHide } from './dom';

const PLAY_BEFORE_MS = 5000;

export class GapList {
  readonly root: HTMLDetailsElement;
  readonly #onChoose: (atMs: number) => void;
  readonly #summary = make('summary', { 'data-testid': 'gap-count' });
  readonly #items = make('ol', { role: 'list' });
  readonly #entries: Entry[] = [];

  constructor(onChoose: (atMs: number) => void) {
    this.#onChoose = onChoose;
    this.root = make('details', { class: 'gap-list', hidden: true }, this.#summary, this.#items);
  }

  show(day: Day, gaps: readonly Gap[], nowMs: number): void {
    const shown = gapsOf(day, gaps, nowMs).reverse(); // the newest first: it is the one that people look for
    this.root.hidden = shown.length === 0;
    const noun = shown.length === 1 ? 'gap' : 'gaps';
    say(this.#summary, `${shown.length} ${noun}, ${spanWords(gapsDurationMs(day, shown, nowMs))} without footage`);
    // Entries are filled anew and not made anew: the one that has the focus keeps it.
    while (this.#entries.length > shown.length) this.#entries.pop()?.root.remove();
    while (this.#entries.length < shown.length) this.#add();
    shown.forEach((gap, index) => this.#entries[index]?.show(gap, day, nowMs));
  }

  #add(): void {
    const entry = new Entry((gap) => { this.#onChoose(gap.startMs - PLAY_BEFORE_MS); });
    this.#entries.push(entry);
    this.#items.append(entry.root);
  }
}

class Entry {
  readonly root: HTMLElement;
  readonly #why = make('span', { class: 'reason' });
  readonly #when = make('span');
  readonly #message = make('span', { class: 'quiet message' });
  #gap: Gap | null = null;

  constructor(onChoose: (gap: Gap) => void) {
    const button = make(
      'button', { type: 'button', title: 'Play the moments before it', 'data-testid': 'gap' }, this.#why, this.#when,
    );
    button.addEventListener('click', () => { if (this.#gap !== null) onChoose(this.#gap); });
    this.root = make('li', {}, button, this.#message);
  }

  show(gap: Gap, day: Day, nowMs: number): void {
    this.#gap = gap;
    this.root.classList.toggle('planned', isPlanned(gap));
    say(this.#why, capital(reasonWords(gap)));
    say(this.#when, (gap.endMs === null ? 'since ' : '') + gapTimeWords(gap, day, nowMs));
    sayOrHide(this.#message, gap.message === null ? '' : sentence(gap.message));
  }
}
