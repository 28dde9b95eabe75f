/** Work that can wait until nothing else is to be done: soon, in any case. */
export function whenIdle(job: () => void): void {
  if (typeof requestIdleCallback === 'function') requestIdleCallback(job, { timeout: 1000 });
  else setTimeout(job, 50);
}
