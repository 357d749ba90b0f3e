/** The documents of the API, from JSON to types: `/api/v1/cameras` and `/api/v1/cameras/{id}/timeline`. */
import {
  CAMERA_STATES, GAP_REASONS, type AudioFacts, type Camera, type ClockFacts, type Gap, type GapReason, type Span,
  type TimelinePage, type VideoFacts,
} from './types';
import {
  BadAnswer, orNull, readInstant, readList, readLocalPath, readNumber, readObject, readOneOf, readText, type Fields,
} from './read';

const readState = readOneOf(CAMERA_STATES);

function readVideo(value: unknown, path: string): VideoFacts {
  const fields = readObject(value, path);
  return {
    codec: readText(fields['codec'], `${path}.codec`),
    width: readNumber(fields['width'], `${path}.width`),
    height: readNumber(fields['height'], `${path}.height`),
    frameRate: orNull(readNumber)(fields['frame_rate'], `${path}.frame_rate`),
    bitRateBps: orNull(readNumber)(fields['bit_rate_bps'], `${path}.bit_rate_bps`),
  };
}

function readAudio(value: unknown, path: string): AudioFacts {
  const fields = readObject(value, path);
  return {
    codec: readText(fields['codec'], `${path}.codec`),
    sampleRateHz: orNull(readNumber)(fields['sample_rate_hz'], `${path}.sample_rate_hz`),
    channels: orNull(readNumber)(fields['channels'], `${path}.channels`),
  };
}

function readClock(value: unknown, path: string): ClockFacts {
  const fields = readObject(value, path);
  return {
    errorMs: orNull(readNumber)(fields['error_ms'], `${path}.error_ms`),
    driftPpm: orNull(readNumber)(fields['drift_ppm'], `${path}.drift_ppm`),
  };
}

/** A reason that this page has no words for is none: what is known besides is worth showing. */
function readReason(value: unknown): GapReason | null {
  return GAP_REASONS.find((reason) => reason === value) ?? null;
}

/** Text, or null: "" says as much as nothing. */
function readWords(value: unknown, path: string): string | null {
  return orNull(readText)(value === '' ? null : value, path);
}

function readCamera(value: unknown, path: string): Camera {
  const fields = readObject(value, path);
  return {
    id: readText(fields['id'], `${path}.id`),
    name: readText(fields['name'], `${path}.name`),
    state: readState(fields['state'], `${path}.state`),
    stateSinceMs: orNull(readInstant)(fields['state_since'], `${path}.state_since`),
    lastError: readWords(fields['last_error'], `${path}.last_error`),
    gapReason: readReason(fields['gap_reason']),
    firstMs: orNull(readInstant)(fields['first'], `${path}.first`),
    lastMs: orNull(readInstant)(fields['last'], `${path}.last`),
    playlist: readLocalPath(fields['playlist'], `${path}.playlist`),
    video: orNull(readVideo)(fields['video'], `${path}.video`),
    audio: orNull(readAudio)(fields['audio'], `${path}.audio`),
    clock: orNull(readClock)(fields['clock'], `${path}.clock`),
    mediaSequence: orNull(readNumber)(fields['media_sequence'], `${path}.media_sequence`),
  };
}

function readSpan(value: unknown, path: string): Span {
  const fields = readObject(value, path);
  const span = {
    startMs: readInstant(fields['start'], `${path}.start`),
    endMs: readInstant(fields['end'], `${path}.end`),
  };
  refuseBackwards(span.startMs, span.endMs, path);
  return span;
}

function readGap(value: unknown, path: string): Gap {
  const fields = readObject(value, path);
  const gap = {
    startMs: readInstant(fields['start'], `${path}.start`),
    endMs: orNull(readInstant)(fields['end'], `${path}.end`),
    reason: readReason(fields['reason']),
    message: readWords(fields['message'], `${path}.message`),
  };
  refuseBackwards(gap.startMs, gap.endMs ?? gap.startMs, path);
  return gap;
}

function refuseBackwards(startMs: number, endMs: number, path: string): void {
  if (endMs >= startMs) return;
  throw new BadAnswer(`The server's answer cannot be used: ${path} ends before it starts.`);
}

/** Raises BadAnswer. */
export function parseCameras(document: unknown): Camera[] {
  return readList(readObject(document, 'the answer')['cameras'], 'cameras', readCamera);
}

/** Raises BadAnswer. */
export function parseTimeline(document: unknown): TimelinePage {
  const fields = readObject(document, 'the answer');
  return {
    spans: readList(fields['spans'], 'spans', readSpan),
    gaps: readList(fields['gaps'] ?? [], 'gaps', readGap),
    next: orNull(readText)(fields['next'], 'next'),
  };
}

/** The sentence that an RFC 9457 problem document tells a person, or null when it is none. */
export function parseProblem(document: unknown): string | null {
  if (typeof document !== 'object' || document === null) return null;
  const [title, detail] = [(document as Fields)['title'], (document as Fields)['detail']];
  if (typeof detail === 'string' && detail !== '') return detail;
  return typeof title === 'string' && title !== '' ? title : null;
}
