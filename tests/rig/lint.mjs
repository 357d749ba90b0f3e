/* Parses playlists with hls-parser in strict mode, where every complaint is an error.
 *
 * stdin: one JSON string (a playlist) a line. stdout: one JSON object a line, {"error": …} or {"playlist": …}.
 */
import { createInterface } from "node:readline";
import HLS from "hls-parser";

HLS.setOptions({ strictMode: true });

function rangeOf({ id, classId, start, end, duration, attributes }) {
  return {
    id, class: classId ?? null, start: start?.toISOString() ?? null, end: end?.toISOString() ?? null,
    duration: duration ?? null, attributes: attributes ?? {},
  };
}

function segmentOf(segment) {
  return {
    uri: segment.uri,
    duration: segment.duration,
    title: segment.title ?? "",
    mediaSequence: segment.mediaSequenceNumber,
    discontinuitySequence: segment.discontinuitySequence,
    discontinuity: Boolean(segment.discontinuity),
    gap: Boolean(segment.gap),
    programDateTime: segment.programDateTime?.toISOString() ?? null,
    map: segment.map?.uri ?? null,
    dateRange: segment.dateRange ? rangeOf(segment.dateRange) : null,
    parts: segment.parts.map(({ uri, duration, independent, hint, gap }) => ({
      uri, duration: duration ?? null, independent: Boolean(independent), hint: Boolean(hint), gap: Boolean(gap),
    })),
  };
}

function mediaOf(playlist) {
  return {
    type: "media",
    version: playlist.version ?? 1,
    independentSegments: Boolean(playlist.independentSegments),
    targetDuration: playlist.targetDuration,
    partTarget: playlist.partTargetDuration ?? null,
    playlistType: playlist.playlistType ?? null,
    mediaSequence: playlist.mediaSequenceBase ?? 0,
    discontinuitySequence: playlist.discontinuitySequenceBase ?? 0,
    skip: playlist.skip ?? 0,
    ended: Boolean(playlist.endlist),
    start: playlist.start ?? null,
    serverControl: playlist.lowLatencyCompatibility ?? null,
    dateRanges: playlist.dateRanges.map(({ id, start, duration }) => ({
      id, start: start?.toISOString() ?? null, duration: duration ?? null,
    })),
    renditionReports: playlist.renditionReports,
    segments: playlist.segments.map(segmentOf),
  };
}

function multivariantOf(playlist) {
  return {
    type: "multivariant",
    version: playlist.version ?? 1,
    independentSegments: Boolean(playlist.independentSegments),
    variants: playlist.variants.map((variant) => ({
      uri: variant.uri,
      bandwidth: variant.bandwidth,
      averageBandwidth: variant.averageBandwidth ?? null,
      codecs: variant.codecs ?? null,
      resolution: variant.resolution ?? null,
      frameRate: variant.frameRate ?? null,
      audio: variant.audio.map(({ groupId, name, uri }) => ({ groupId, name, uri: uri ?? null })),
    })),
  };
}

function lint(text) {
  try {
    const playlist = HLS.parse(text);
    return { playlist: playlist.isMasterPlaylist ? multivariantOf(playlist) : mediaOf(playlist) };
  } catch (error) {
    return { error: error.message };
  }
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  process.stdout.write(`${JSON.stringify(lint(JSON.parse(line)))}\n`);
}
