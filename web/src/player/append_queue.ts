/**
 * One SourceBuffer, one thing at a time. A SourceBuffer takes nothing while it works, and throws when it is full:
 * then what was shown long ago goes first.
 */
interface Step {
  readonly run: (buffer: SourceBuffer) => void;
  /** Whether it makes the buffer work, which ends with an event. */
  readonly takesTime: boolean;
}

const KEPT_BEHIND_S = 20;
const KEPT_WHEN_FULL_S = 2;
/** The last picture stands for a moment before the end. */
const AT_END_S = 0.1;
/** As often as that, not with each fragment. */
const TRIM_STEP_S = 10;

export class AppendQueue {
  readonly #buffer: SourceBuffer;
  readonly #video: HTMLVideoElement;
  readonly #onBroken: () => void;
  readonly #closing = new AbortController();
  #steps: Step[] = [];
  #working = false;
  #isRetry = false;

  constructor(buffer: SourceBuffer, video: HTMLVideoElement, onAppended: () => void, onBroken: () => void) {
    this.#buffer = buffer;
    this.#video = video;
    this.#onBroken = onBroken;
    const { signal } = this.#closing;
    buffer.addEventListener('updateend', () => {
      this.#working = false;
      this.#next();
      onAppended();
    }, { signal });
    buffer.addEventListener('error', () => { this.#break(); }, { signal });
  }

  /** What is buffered last of all, in seconds of the video's timeline; null when nothing is. */
  get lastRange(): { readonly startS: number; readonly endS: number } | null {
    const { buffered } = this.#buffer;
    const last = buffered.length - 1;
    return last < 0 ? null : { startS: buffered.start(last), endS: buffered.end(last) };
  }

  /** Where what is buffered goes on, for a place at whose end it does not; null where it does. */
  behindHole(positionS: number): number | null {
    const { buffered } = this.#buffer;
    for (let index = 0; index < buffered.length; index += 1) {
      if (positionS < buffered.start(index)) return buffered.start(index);
      if (positionS < buffered.end(index) - AT_END_S) return null;
    }
    return null;
  }

  /** Whether there is more to come that was given already. */
  get isBusy(): boolean {
    return this.#working || this.#steps.length > 0;
  }

  changeType(mimeType: string): void {
    this.#add({ run: (buffer) => { buffer.changeType(mimeType); }, takesTime: false });
  }

  /** `offsetS` null leaves it as it is. */
  append(data: ArrayBuffer, offsetS: number | null): void {
    this.#add({
      run: (buffer) => {
        if (offsetS !== null && buffer.timestampOffset !== offsetS) buffer.timestampOffset = offsetS;
        buffer.appendBuffer(data);
      },
      takesTime: true,
    });
    this.#trim(KEPT_BEHIND_S, TRIM_STEP_S);
  }

  close(): void {
    this.#closing.abort();
    this.#steps = [];
  }

  #add(step: Step): void {
    this.#steps.push(step);
    this.#next();
  }

  #trim(keptS: number, stepS: number): void {
    const untilS = this.#video.currentTime - keptS;
    const { buffered } = this.#buffer;
    if (buffered.length === 0 || buffered.start(0) > untilS - stepS) return;
    this.#add({ run: (buffer) => { buffer.remove(0, untilS); }, takesTime: true });
  }

  #next(): void {
    while (!this.#working && !this.#closing.signal.aborted) {
      const step = this.#steps.shift();
      if (step === undefined) return;
      try {
        this.#working = step.takesTime;
        step.run(this.#buffer);
        this.#isRetry = false;
      } catch (error) {
        this.#working = false;
        this.#refused(error, step);
        return;
      }
    }
  }

  #refused(error: unknown, step: Step): void {
    const isFull = error instanceof DOMException && error.name === 'QuotaExceededError';
    if (!isFull || this.#isRetry) {
      this.#break();
      return;
    }
    this.#isRetry = true;
    this.#steps.unshift(step);
    const untilS = Math.max(0.1, this.#video.currentTime - KEPT_WHEN_FULL_S);
    this.#steps.unshift({ run: (buffer) => { buffer.remove(0, untilS); }, takesTime: true });
    this.#next();
  }

  #break(): void {
    if (this.#closing.signal.aborted) return;
    this.close();
    this.#onBroken();
  }
}
