/*
 * Runs in the page that is measured, before the page's own script: notes what the first element that `selector` finds
 * shows, and when. A sample is taken the moment a frame comes on the screen, and holds the corner of it that has the
 * clock; Python reads it later (`clockface.py`), so that nothing but a small copy is done while it plays.
 *
 * A video tells of each frame (requestVideoFrameCallback), and `new VideoFrame` holds that very frame with its media
 * time, whatever the decoder does meanwhile. An img tells nothing: its band is looked at each time the screen is drawn,
 * and it is a new frame when it has changed.
 *
 * The first `eager` frames are sampled, for the first picture; then, after `settleMs`, one each `everyMs`.
 */
({ selector, camera, cells, cellRows, cellsInHeight, eager, settleMs, everyMs, wanted }) => {
  const samples = [];
  const begun = Promise.withResolvers();
  const done = Promise.withResolvers();
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
  let watched = null;
  let lastMs = 0;
  let lastBand = null;

  const isDue = (nowMs) => samples.length < eager
    || (samples.length < wanted && nowMs >= samples[0].pageMs + settleMs && nowMs >= lastMs + everyMs);

  /** The corner that holds the clock, in grey; green alone is grey enough for black and white. */
  const bandOf = (source, fullWidth, fullHeight) => {
    const cellPx = Math.max(2, Math.ceil(fullHeight / cellsInHeight));
    const width = Math.min(fullWidth, cells * cellPx);
    const height = Math.min(fullHeight, cellRows * cellPx);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    context.drawImage(source, 0, 0);
    const rgba = context.getImageData(0, 0, width, height).data;
    const gray = Uint8Array.from({ length: width * height }, (_, at) => rgba[4 * at + 1]);
    return { width, height, fullHeight, gray };
  };

  const note = (band, pageMs, wallMs, saysMs) => {
    lastMs = pageMs;
    samples.push({ pageMs, wallMs, saysMs, ...band });
    if (samples.length === 1) begun.resolve();
    if (samples.length === wanted) done.resolve();
  };

  /** What the page takes for the time of the frame at `mediaMs`: from EXT-X-PROGRAM-DATE-TIME. */
  const saidOf = (video, mediaMs) => {
    const pictureMs = window.hlscam?.players.get(camera)?.pictureMs ?? null;
    return pictureMs === null ? null : pictureMs - (1000 * video.currentTime - mediaMs);
  };

  const onVideoFrame = (video) => {
    const pageMs = performance.now();
    const wallMs = Date.now();
    if (video !== watched) return;
    if (isDue(pageMs)) {
      const frame = new VideoFrame(video);
      const { displayWidth: width, displayHeight: height, timestamp } = frame;
      note(bandOf(frame, width, height), pageMs, wallMs, saidOf(video, timestamp / 1000));
      frame.close();
    }
    video.requestVideoFrameCallback(() => { onVideoFrame(video); });
  };

  const onDrawnImage = (image) => {
    const { naturalWidth: width, naturalHeight: height } = image;
    if (width === 0 || height === 0) return;
    const pageMs = performance.now();
    const wallMs = Date.now();
    const band = bandOf(image, width, height);
    const isNew = lastBand === null || band.gray.some((shade, at) => shade !== lastBand.gray[at]);
    lastBand = band;
    if (isNew && isDue(pageMs)) note(band, pageMs, wallMs, null);
  };

  const onDrawn = () => {
    const found = document.querySelector(selector);
    if (found !== watched) {
      watched = found;
      if (found instanceof HTMLVideoElement) found.requestVideoFrameCallback(() => { onVideoFrame(found); });
    }
    if (found instanceof HTMLImageElement) onDrawnImage(found);
    if (samples.length < wanted) requestAnimationFrame(onDrawn);
  };

  const textOf = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  const isBefore = (promise, withinMs) => Promise.race([
    promise.then(() => true), new Promise((resolve) => { setTimeout(resolve, withinMs, false); }),
  ]);

  window.hlscamBench = {
    isBegun: (withinMs) => isBefore(begun.promise, withinMs),
    isDone: (withinMs) => isBefore(done.promise, withinMs),
    collect: () => samples.map((sample) => ({ ...sample, gray: textOf(sample.gray) })),
  };
  requestAnimationFrame(onDrawn);
}
