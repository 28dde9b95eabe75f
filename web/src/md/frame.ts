/**
 * One queue for everything that paints while streaming: each job runs once per frame, however often
 * it was asked for. A hidden tab has no frames, so there a timer finishes the answer.
 */

type Job = () => void;

const HIDDEN_INTERVAL_MS = 100;
const queued = new Set<Job>();
let scheduled = false;

function run(): void {
  scheduled = false;
  const jobs = [...queued];
  queued.clear();
  for (const job of jobs) job();
}

export function onNextFrame(job: Job): void {
  queued.add(job);
  if (scheduled) return;
  scheduled = true;
  if (document.hidden) setTimeout(run, HIDDEN_INTERVAL_MS);
  else requestAnimationFrame(run);
}

export function cancelFrame(job: Job): void {
  queued.delete(job);
}
