/**
 * What plays one playlist, or live, on one video element: our own player over WebSocket, hls.js, or the browser
 * itself where Media Source Extensions are missing.
 */
import type Hls from 'hls.js';
import type { Way } from '../model/way';
import type { CureAct, Fault } from './recovery';

export interface Playlist {
  readonly url: string;
  /** The moment to show first; null to follow live. */
  readonly atMs: number | null;
}

export interface Engine {
  /** The hls.js instance, for tests and curious people; null with the browser's own player. */
  readonly hls: Hls | null;
  readonly way: Way;
  /** Whether it asks on for ever by itself: a lost network is no reason for a new one. */
  readonly asksOn: boolean;
  /** UTC of the picture that is shown; null before the first. */
  pictureMs(): number | null;
  /** Whether the last thing it asked for did not come. It asks on by itself. */
  readonly failing: boolean;
  /** The cures that keep this engine; false where only a new one can. */
  cure(act: Exclude<CureAct, 'start_again'>): boolean;
  /** Goes on from the picture that stands after a pause of live, as the past; false where only a new engine can. */
  goOn(): boolean;
  pauseLoading(): void;
  resumeLoading(): void;
  close(): void;
}

export type OnFault = (fault: Fault) => void;
