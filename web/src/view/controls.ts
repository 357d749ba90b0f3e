/** The buttons under a big picture. They report wishes; the camera's page decides. */
import { make, say } from './dom';

export interface Wishes {
  readonly togglePlay: () => void;
  readonly goLive: () => void;
  readonly step: (byMs: number) => void;
  readonly toggleSound: () => void;
  readonly fillScreen: () => void;
  /** A wall clock reading such as "21:03:10". */
  readonly playFromClock: (clock: string) => void;
}

export interface ControlState {
  readonly paused: boolean;
  readonly live: boolean;
  readonly muted: boolean;
  readonly hasSound: boolean;
}

export class Controls {
  readonly root: HTMLElement;
  readonly #play: HTMLButtonElement;
  readonly #live: HTMLButtonElement;
  readonly #sound: HTMLButtonElement;
  readonly #clock = make('input', {
    type: 'time', step: '1', id: 'clock', 'data-testid': 'time-input', required: true,
  });

  constructor(wishes: Wishes) {
    this.#play = button('Pause', 'play', wishes.togglePlay);
    this.#live = button('Live', 'live', wishes.goLive);
    this.#sound = button('Sound', 'sound', wishes.toggleSound);
    const back = button('−10 s', 'back', () => { wishes.step(-10_000); });
    back.setAttribute('aria-label', 'Ten seconds back');
    const on = button('+10 s', 'on', () => { wishes.step(10_000); });
    on.setAttribute('aria-label', 'Ten seconds on');
    const full = button('Full screen', 'full', wishes.fillScreen);
    full.hidden = !document.fullscreenEnabled;
    const form = make(
      'form',
      { class: 'pick' },
      make('label', { for: 'clock' }, 'Play from'),
      this.#clock,
      make('button', { type: 'submit', 'data-testid': 'go' }, 'Go'),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      wishes.playFromClock(this.#clock.value);
    });
    this.root = make(
      'div',
      { class: 'controls' },
      make('div', { class: 'buttons' }, this.#play, back, on, this.#live, this.#sound, full),
      form,
    );
  }

  show(state: ControlState): void {
    say(this.#play, state.paused ? 'Play' : 'Pause');
    this.#live.setAttribute('aria-pressed', String(state.live));
    this.#sound.disabled = !state.hasSound;
    const sound = state.muted ? 'Sound on' : 'Sound off';
    say(this.#sound, state.hasSound ? sound : 'No sound');
  }

  /** Puts a reading into the time field, unless somebody is typing there. */
  setClock(clock: string): void {
    if (document.activeElement !== this.#clock) this.#clock.value = clock;
  }
}

function button(text: string, testId: string, onClick: () => void): HTMLButtonElement {
  const element = make('button', { type: 'button', 'data-testid': testId }, text);
  element.addEventListener('click', onClick);
  return element;
}
