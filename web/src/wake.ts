/**
 * The moments from which on waiting makes no sense: the network is back, the page is looked at again, it comes out
 * of the browser's cache or freezer, or the machine woke up.
 */
import { SleepWatch } from './model/sleep_watch';

const LOOK_EVERY_MS = 1000;

export function onWake(wake: () => void): void {
  window.addEventListener('online', wake);
  window.addEventListener('pageshow', (event) => { if (event.persisted) wake(); });
  document.addEventListener('resume', wake);
  document.addEventListener('visibilitychange', () => { if (!document.hidden) wake(); });
  const watch = new SleepWatch();
  window.setInterval(() => {
    // Timers of a hidden page come once a minute, which is no sleep.
    if (watch.slept(Date.now()) && !document.hidden) wake();
  }, LOOK_EVERY_MS);
}
