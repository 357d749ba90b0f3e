/** Plays with the browser's own HLS player: for browsers without Media Source Extensions (older iPhones). */
import type { Engine, OnFault, Playlist } from './engine';

/** WebKit's name for the program date time of position 0; not in TypeScript's DOM library. */
interface DatedVideo extends HTMLVideoElement {
  getStartDate?: () => Date;
}

const FAULT_KINDS: Readonly<Record<number, 'network' | 'media' | 'unplayable'>> = {
  [MediaError.MEDIA_ERR_NETWORK]: 'network',
  [MediaError.MEDIA_ERR_DECODE]: 'media',
};

export class NativeEngine implements Engine {
  readonly hls = null;
  readonly way = 'hls';
  readonly asksOn = false;
  readonly failing = false; // the browser does not tell
  readonly #video: DatedVideo;
  readonly #url: string;
  readonly #closing = new AbortController();

  constructor(video: HTMLVideoElement, playlist: Playlist, onFault: OnFault) {
    this.#video = video;
    this.#url = playlist.url;
    const { signal } = this.#closing;
    // MEDIA_ERR_SRC_NOT_SUPPORTED also stands for "the playlist could not be fetched", so it counts as network.
    video.addEventListener(
      'error',
      () => {
        onFault({ kind: FAULT_KINDS[video.error?.code ?? 0] ?? 'network', started: false });
      },
      { signal },
    );
    video.src = playlist.url;
  }

  pictureMs(): number | null {
    const startMs = this.#video.getStartDate?.().getTime() ?? NaN;
    return Number.isNaN(startMs) ? null : startMs + this.#video.currentTime * 1000;
  }

  cure(): boolean {
    const positionS = this.#video.currentTime;
    this.#video.src = this.#url;
    this.#video.currentTime = positionS;
    return true;
  }

  goOn(): boolean {
    return false;
  }

  pauseLoading(): void {
    // The browser decides for itself.
  }

  resumeLoading(): void {
    // The browser decides for itself.
  }

  close(): void {
    this.#closing.abort();
    this.#video.removeAttribute('src');
    this.#video.load();
  }
}
