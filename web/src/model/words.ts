/** The sentences of the page. Pure: the time is an argument. */
import type { AudioFacts, Camera, CameraState, VideoFacts } from '../api/types';
import { dayOf } from './day';

const STATE_WORDS: Record<CameraState, string> = {
  starting: 'Starting',
  recording: 'Recording',
  waiting: 'Waiting',
  disabled: 'Off',
};

export function stateWord(camera: Camera): string {
  return STATE_WORDS[camera.state];
}

/** Why there is nothing new from a camera, as a sentence; '' while there is nothing to tell. */
export function whyWords(camera: Camera): string {
  if (camera.state !== 'waiting' || camera.lastError === null) return '';
  const text = camera.lastError.trim();
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…)]$/.test(text) ? '' : '.');
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

/** How far a picture is behind what happens now. `live` says whether the player follows the live edge. */
export function latencyWords(camera: Camera, live: boolean, pictureMs: number | null, nowMs: number): string {
  if (!live) return pictureMs === null ? '' : `${spanWords(nowMs - pictureMs)} behind live`;
  if (camera.state === 'disabled') return '';
  if (camera.state === 'waiting' && camera.lastMs !== null) {
    return `no picture for ${spanWords(nowMs - camera.lastMs)}`;
  }
  return pictureMs === null ? '' : `live, ${spanWords(nowMs - pictureMs)} behind`;
}

/** What to say in place of a picture, or '' when the picture speaks for itself. */
export function veilWords(camera: Camera, live: boolean, hasPicture: boolean, trouble: string | null): string {
  if (trouble !== null) return trouble;
  if (live && camera.state === 'disabled') return 'Switched off';
  if (camera.lastMs === null) return camera.state === 'waiting' ? 'Waiting for the camera' : 'Starting…';
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

export function countWords(cameras: readonly Camera[]): string {
  if (cameras.length === 0) return '';
  const recording = cameras.filter((camera) => camera.state === 'recording').length;
  const noun = cameras.length === 1 ? 'camera' : 'cameras';
  return recording === cameras.length
    ? `${cameras.length} ${noun}, recording`
    : `${cameras.length} ${noun}, ${recording} recording`;
}

/** "1280 × 720, 30 fps, H.264, 2.1 Mbit/s · AAC, 48 kHz, stereo". */
export function factWords(video: VideoFacts | null, audio: AudioFacts | null): string {
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
  return [picture, sound].filter((part) => part.length > 0).map((part) => part.join(', ')).join(' · ');
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
