/** The documents of the API, from JSON to types: `/api/v1/cameras` and `/api/v1/cameras/{id}/timeline`. */
import { CAMERA_STATES, type AudioFacts, type Camera, type Span, type TimelinePage, type VideoFacts } from './types';
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

function readCamera(value: unknown, path: string): Camera {
  const fields = readObject(value, path);
  return {
    id: readText(fields['id'], `${path}.id`),
    name: readText(fields['name'], `${path}.name`),
    state: readState(fields['state'], `${path}.state`),
    stateSinceMs: orNull(readInstant)(fields['state_since'], `${path}.state_since`),
    lastError: orNull(readText)(fields['last_error'] === '' ? null : fields['last_error'], `${path}.last_error`),
    firstMs: orNull(readInstant)(fields['first'], `${path}.first`),
    lastMs: orNull(readInstant)(fields['last'], `${path}.last`),
    playlist: readLocalPath(fields['playlist'], `${path}.playlist`),
    video: orNull(readVideo)(fields['video'], `${path}.video`),
    audio: orNull(readAudio)(fields['audio'], `${path}.audio`),
  };
}

function readSpan(value: unknown, path: string): Span {
  const fields = readObject(value, path);
  const span = {
    startMs: readInstant(fields['start'], `${path}.start`),
    endMs: readInstant(fields['end'], `${path}.end`),
  };
  if (span.endMs < span.startMs) {
    throw new BadAnswer(`The server's answer cannot be used: ${path} ends before it starts.`);
  }
  return span;
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
