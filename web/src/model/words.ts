/** The sentences of the page. Pure: the time is an argument. */
import type { AudioFacts, Camera, CameraState, ClockFacts, Gap, GapReason, VideoFacts } from '../api/types';
import { clockOf, contains, dayOf, type Day } from './day';

const STATE_WORDS: Record<CameraState, string> = {
  starting: 'Starting',
  recording: 'Recording',
  stalled: 'Stalled',
  waiting: 'Waiting',
  disabled: 'Off',
  stopped: 'Stopped',
};
/** A state that has just begun needs no "for 2 s" that counts up before one's eyes. */
const SAY_SINCE_AFTER_MS = 10_000;

const REASON_WORDS: Record<GapReason, string> = {
  stopped: 'server stopped',
  server_crashed: 'server crashed',
  crashed: 'recording program crashed',
  source_ended: 'source ended',
  unreachable: 'camera unreachable',
  authentication: 'camera refused the password',
  source_refused: 'camera refused the stream',
  stalled: 'camera stalled',
  disk_full: 'disk full',
  disabled: 'switched off',
  clock_stepped: 'clock set anew',
};
const SECONDS_MATTER_BELOW_MS = 120_000;
const TENTHS_MATTER_BELOW_MS = 4950;

export function stateWord(camera: Camera): string {
  return STATE_WORDS[camera.state];
}

/** "Recording for 3 h", "Waiting for 5 min"; the bare word while that is new, or not known. */
export function stateWords(camera: Camera, nowMs: number): string {
  const sinceMs = camera.stateSinceMs === null ? 0 : nowMs - camera.stateSinceMs;
  return sinceMs < SAY_SINCE_AFTER_MS ? stateWord(camera) : `${stateWord(camera)} for ${spanWords(sinceMs)}`;
}

/** Whether a camera that should record sends nothing, or has only just begun to be asked again. */
function isSilent(camera: Camera): boolean {
  return camera.state !== 'recording' && camera.state !== 'disabled';
}

/** Why there is nothing new from a camera, as a sentence; '' while there is nothing to tell. */
export function whyWords(camera: Camera): string {
  if (!isSilent(camera)) return '';
  if (camera.lastError !== null) return sentence(camera.lastError);
  return camera.gapReason === null ? '' : sentence(REASON_WORDS[camera.gapReason]);
}

export function sentence(words: string): string {
  const text = words.trim();
  return capital(text) + (/[.!?…)]$/.test(text) ? '' : '.');
}

export function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** "4 s", "12 min", "3 h 5 min", "2 days". */
export function spanWords(durationMs: number): string {
  const seconds = Math.max(0, Math.round(durationMs / 1000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days`;
}

/**
 * How far a picture is behind what happens now. `live` says whether the player follows the live edge, `cut` whether
 * it cannot at the moment.
 */
export function latencyWords(
  camera: Camera, live: boolean, cut: boolean, pictureMs: number | null, nowMs: number,
): string {
  if (!live) return pictureMs === null ? '' : `${spanWords(nowMs - pictureMs)} behind live`;
  if (cut) return pictureMs === null ? '' : `picture of ${spanWords(nowMs - pictureMs)} ago`;
  if (camera.state === 'disabled') return '';
  if (isSilent(camera) && camera.lastMs !== null) {
    return `no picture for ${spanWords(nowMs - camera.lastMs)}`;
  }
  return pictureMs === null ? '' : `live, ${shortSpanWords(nowMs - pictureMs)} behind`;
}

/** "0.6 s", where tenths are what it is about. */
function shortSpanWords(durationMs: number): string {
  if (durationMs >= TENTHS_MATTER_BELOW_MS) return spanWords(durationMs);
  return `${(Math.max(0, durationMs) / 1000).toFixed(1)} s`;
}

/** What to say in place of a picture, or '' when the picture speaks for itself. */
export function veilWords(camera: Camera, live: boolean, hasPicture: boolean, trouble: string | null): string {
  if (trouble !== null) return trouble;
  if (live && camera.state === 'disabled') return 'Switched off';
  if (camera.lastMs === null) {
    return camera.state === 'waiting' || camera.state === 'stalled' ? 'Waiting for the camera' : 'Starting…';
  }
  return hasPicture ? '' : 'Loading…';
}

/** Local time of a moment; with the date when that is not today. */
export function clockWords(instantMs: number, nowMs: number): string {
  const sameDay = dayOf(instantMs).startMs === dayOf(nowMs).startMs;
  const date = new Date(instantMs);
  return sameDay ? date.toLocaleTimeString() : date.toLocaleString();
}

/** "Today", or the date in words. */
export function dayWords(instantMs: number, nowMs: number): string {
  if (dayOf(instantMs).startMs === dayOf(nowMs).startMs) return 'Today';
  return new Date(instantMs).toLocaleDateString(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
}

/** "camera unreachable, 10:02 to 10:15 (13 min)", in local time; a moment of another day comes with its date. */
export function gapWords(gap: Gap, day: Day, nowMs: number): string {
  return `${reasonWords(gap)}${gap.endMs === null ? ' since ' : ', '}${gapTimeWords(gap, day, nowMs)}`;
}

export function reasonWords(gap: Gap): string {
  return gap.reason === null ? 'nothing recorded' : REASON_WORDS[gap.reason];
}

/** "10:02 to 10:15 (13 min)"; what still lasts has no end: "10:02 (13 min)". */
export function gapTimeWords(gap: Gap, day: Day, nowMs: number): string {
  const durationMs = (gap.endMs ?? nowMs) - gap.startMs;
  const precise = durationMs < SECONDS_MATTER_BELOW_MS;
  const start = momentWords(gap.startMs, day, precise);
  const end = gap.endMs === null ? '' : ` to ${momentWords(gap.endMs, day, precise)}`;
  return `${start}${end} (${spanWords(durationMs)})`;
}

function momentWords(instantMs: number, day: Day, precise: boolean): string {
  const clock = precise ? clockOf(instantMs) : clockOf(instantMs).slice(0, -3); // as the strip's other labels
  if (contains(day, instantMs)) return clock;
  return `${new Date(instantMs).toLocaleDateString(undefined, { day: 'numeric', month: 'short' })}, ${clock}`;
}

/** How sure the times on the pictures are; '' when that is not known. */
function clockErrorWords(clock: ClockFacts | null): string {
  const errorMs = clock?.errorMs ?? null;
  if (errorMs === null) return '';
  return `clock within ${errorMs < 1000 ? `${Math.ceil(errorMs)} ms` : spanWords(errorMs)}`;
}

export function countWords(cameras: readonly Camera[]): string {
  if (cameras.length === 0) return '';
  const recording = cameras.filter((camera) => camera.state === 'recording').length;
  const noun = cameras.length === 1 ? 'camera' : 'cameras';
  return recording === cameras.length
    ? `${cameras.length} ${noun}, recording`
    : `${cameras.length} ${noun}, ${recording} recording`;
}

/** "1280 × 720, 30 fps, H.264, 2.1 Mbit/s · AAC, 48 kHz · clock within 12 ms". */
export function factWords(video: VideoFacts | null, audio: AudioFacts | null, clock: ClockFacts | null): string {
  const picture = video === null ? [] : [
    `${video.width} × ${video.height}`,
    ...(video.frameRate === null ? [] : [`${Number(video.frameRate.toFixed(2))} fps`]),
    codecWord(video.codec),
    ...(video.bitRateBps === null ? [] : [rateWord(video.bitRateBps)]),
  ];
  const sound = audio === null ? ['no sound'] : [
    codecWord(audio.codec),
    ...(audio.sampleRateHz === null ? [] : [`${audio.sampleRateHz / 1000} kHz`]),
  ];
  const parts = [picture.join(', '), sound.join(', '), clockErrorWords(clock)];
  return parts.filter((part) => part !== '').join(' · ');
}

/** A person's word for an RFC 6381 codec string. */
function codecWord(codec: string): string {
  const words: readonly (readonly [RegExp, string])[] = [
    [/^(avc[13]|h264)/i, 'H.264'],
    [/^(hvc1|hev1|hevc|h265)/i, 'H.265'],
    [/^av0?1/i, 'AV1'],
    [/^(mp4a|aac)/i, 'AAC'],
    [/^opus/i, 'Opus'],
  ];
  return words.find(([pattern]) => pattern.test(codec))?.[1] ?? codec;
}

function rateWord(bitRateBps: number): string {
  return bitRateBps >= 1e6 ? `${(bitRateBps / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bitRateBps / 1000)} kbit/s`;
}
