/** What the server tells about cameras. Times are UTC milliseconds since 1970; ranges are half-open. */

export const CAMERA_STATES = ['starting', 'recording', 'stalled', 'waiting', 'disabled', 'stopped'] as const;
export type CameraState = (typeof CAMERA_STATES)[number];

export const GAP_REASONS = [
  'stopped', 'server_crashed', 'crashed', 'source_ended', 'unreachable', 'authentication', 'source_refused',
  'stalled', 'disk_full', 'disabled', 'clock_stepped',
] as const;
export type GapReason = (typeof GAP_REASONS)[number];

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

/** How well the times of a camera's pictures are known. */
export interface ClockFacts {
  /** A picture's time is at most this far from the truth. */
  readonly errorMs: number | null;
  /** How much faster than the server's the camera's own clock runs. */
  readonly driftPpm: number | null;
}

export interface Camera {
  readonly id: string;
  readonly name: string;
  readonly state: CameraState;
  readonly stateSinceMs: number | null;
  readonly lastError: string | null;
  /** Why nothing is recorded now; null while it is, and when the server does not say. */
  readonly gapReason: GapReason | null;
  /** Start of the oldest footage; null while there is none. */
  readonly firstMs: number | null;
  /** End of the newest footage; null while there is none. */
  readonly lastMs: number | null;
  /** Path of the multivariant playlist on this server. */
  readonly playlist: string;
  readonly video: VideoFacts | null;
  readonly audio: AudioFacts | null;
  readonly clock: ClockFacts | null;
  /** Number of the newest segment that is listed. */
  readonly mediaSequence: number | null;
}

/** A stretch of wall time that has footage: [startMs, endMs). */
export interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

/** A hole in wall time, with what is known of why. */
export interface Gap {
  readonly startMs: number;
  /** Null while it lasts. */
  readonly endMs: number | null;
  readonly reason: GapReason | null;
  readonly message: string | null;
}

export interface Timeline {
  readonly spans: readonly Span[];
  readonly gaps: readonly Gap[];
}

export interface TimelinePage extends Timeline {
  /** Cursor of the next page, or null at the end. */
  readonly next: string | null;
}
