/**
 * Keeps where the viewer of one camera is, so that a reload, a closed tab that is opened again, and "back" go on from
 * there: to the second in the URL, exactly in this tab's session storage (`model/place.ts` says why both).
 */
import { readPlace, writePlace, type Place } from '../model/place';
import { formatHash } from '../model/route';

const KEY = 'hlscam.place';
/** Browsers refuse more than some three a second. */
const KEEP_EVERY_MS = 1000;

export class PlaceKeeper {
  readonly #cameraId: string;
  #keptMonoMs = -Infinity;

  constructor(cameraId: string) {
    this.#cameraId = cameraId;
  }

  /** The viewer chose a moment, or live (null): that is a step that "back" undoes. */
  enter(atMs: number | null): void {
    history.pushState(null, '', this.#hash(atMs));
    this.keepExactly(atMs, false);
  }

  /** The picture is there now. To be called as often as one likes. */
  keep(atMs: number | null, paused: boolean): void {
    if (performance.now() - this.#keptMonoMs >= KEEP_EVERY_MS) this.keepNow(atMs, paused);
  }

  /** `replaceState` raises no hashchange, so that what is kept is not played again. */
  keepNow(atMs: number | null, paused: boolean): void {
    const hash = this.#hash(atMs);
    if (window.location.hash !== hash) history.replaceState(null, '', hash);
    this.keepExactly(atMs, paused);
    this.#keptMonoMs = performance.now();
  }

  /** For a page that is being left: a reload has its URL already, and will not see another one. */
  keepExactly(atMs: number | null, paused: boolean): void {
    try {
      if (atMs === null) sessionStorage.removeItem(KEY);
      else sessionStorage.setItem(KEY, writePlace({ hash: window.location.hash, atMs, paused }));
    } catch {
      // Switched off, or full: then a reload goes on from the second that the URL says.
    }
  }

  #hash(atMs: number | null): string {
    const wholeSecondsMs = atMs === null ? null : Math.floor(atMs / 1000) * 1000;
    return formatHash({ page: 'camera', id: this.#cameraId, atMs: wholeSecondsMs });
  }
}

/** The place that was kept for a hash that is opened now. */
export function keptPlace(hash: string): Place | null {
  try {
    return readPlace(sessionStorage.getItem(KEY), hash);
  } catch {
    return null;
  }
}
