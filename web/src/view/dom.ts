/** Small helpers that make elements. Text goes in as text only, so no name from a configuration can become markup. */

type Attributes = Readonly<Record<string, string | boolean>>;

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false) continue;
    element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children);
  return element;
}

/** Changes text only when it differs: screen readers and layout are spared twice a second. */
export function say(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Like `say`, and takes the element away while there is nothing to say. */
export function sayOrHide(element: HTMLElement, text: string): void {
  say(element, text);
  element.hidden = text === '';
}

export function makeVideo(label: string): HTMLVideoElement {
  const video = make('video', { playsinline: true, 'aria-label': label, disableremoteplayback: true });
  video.muted = true; // the attribute alone does not mute an element made by script
  return video;
}
