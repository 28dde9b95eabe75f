// Sends pieces by the clock: each when it is due, never faster, and late ones at once. A timer alone
// would add its delays up and make the stream slower than its rate.
import { performance } from 'node:perf_hooks';

/** Sends `items` at `rate` a second while `isOpen()`, and tells how long that took in milliseconds. */
export async function paced(items, rate, send, isOpen = () => true) {
  const start = performance.now();
  let sent = 0;
  while (sent < items.length && isOpen()) {
    const due = Math.min(items.length, Math.floor(((performance.now() - start) / 1000) * rate) + 1);
    for (; sent < due; sent += 1) send(items[sent], sent);
    if (sent < items.length) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return performance.now() - start;
}

/** How long that takes at best: the first piece leaves at once. */
export const idealMilliseconds = (count, rate) => ((count - 1) / rate) * 1000;
