/** What the server tells about cameras. Times are UTC milliseconds since 1970; ranges are half-open. */

export const CAMERA_STATES = ['starting', 'recording', 'waiting', 'disabled'] as const;
export type CameraState = (typeof CAMERA_STATES)[number];

export interface VideoFacts {
  readonly codec: string;
  readonly width: number;
  readonly height: number;
  readonly frameRate: number | null;
  readonly bitRateBps: number | null;
}

export interface AudioFacts {
  readonly codec: string;
  readonly sampleRateHz: number | null;
  readonly channels: number | null;
}

export interface Camera {
  readonly id: string;
  readonly name: string;
  readonly state: CameraState;
  readonly stateSinceMs: number | null;
  readonly lastError: string | null;
  /** Start of the oldest footage; null while there is none. */
  readonly firstMs: number | null;
  /** End of the newest footage; null while there is none. */
  readonly lastMs: number | null;
  /** Path of the multivariant playlist on this server. */
  readonly playlist: string;
  readonly video: VideoFacts | null;
  readonly audio: AudioFacts | null;
}

/** A stretch of wall time that has footage: [startMs, endMs). */
export interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

export interface TimelinePage {
  readonly spans: readonly Span[];
  /** Cursor of the next page, or null at the end. */
  readonly next: string | null;
}
