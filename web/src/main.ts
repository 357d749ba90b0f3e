/** Composition: finds the places in index.html and starts the page. */
import { App } from './app';
import { publishPlayers } from './player/registry';

function place(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`index.html has no #${id}`);
  return element;
}

publishPlayers();
new App({ app: place('app'), banner: place('banner'), count: place('count') }).start();
