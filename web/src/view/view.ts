/** What the page shows at one place: the wall, or one camera. */
import type { Camera } from '../api/types';

export interface View {
  readonly root: HTMLElement;
  /** Fresh news of all cameras. */
  update(cameras: readonly Camera[]): void;
  /** About twice a second; `nowMs` is the server's wall time. */
  tick(nowMs: number): void;
  /** Stops all that plays. */
  close(): void;
}
