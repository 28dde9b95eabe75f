// What runs inside every measured page, ours and the others' alike: frames, long tasks, shifts and the
// delays of keys, as the browser tells them; when the end of the answer was painted; and what is shown.
window.probe = {
  longTasks: [],
  shifts: [],
  /** By interaction: the longest of its events, from the key to the next paint. */
  interactions: new Map(),
  frames: [],
  finished: null,

  /** `root()`: the element with the answer. `ignored`: what a renderer adds to the text (copy buttons, say). */
  begin({ root, ignored }) {
    Object.assign(this, { root, ignored, started: performance.now(), isRunning: true });
    let last = performance.now();
    const frame = () => {
      const time = performance.now();
      this.frames.push(time - last);
      last = time;
      if (this.isRunning) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  },

  /** The stream is over: from here on, wait for its last words. `ending` is without blanks. */
  end(ending) {
    return new Promise((resolve) => {
      const look = () => {
        if (!this.endsIn(ending)) return requestAnimationFrame(look);
        // A task after the frame's own work is after its paint.
        return requestAnimationFrame(() => setTimeout(() => {
          this.finished = performance.now() - this.started;
          this.isRunning = false;
          resolve(this.finished);
        }));
      };
      look();
    });
  },

  /** Whether the text's last letters are these; read from its end, because a copy of a long answer would be a task of its own. */
  endsIn(ending) {
    const root = this.root();
    if (root === null || root === undefined) return false;
    const walker = document.createTreeWalker(root, window.NodeFilter.SHOW_TEXT);
    let node = walker.root;
    while (node.lastChild) node = node.lastChild;
    walker.currentNode = node;
    if (node.nodeType !== window.Node.TEXT_NODE) node = walker.previousNode();
    let letters = '';
    for (; node !== null && letters.length < ending.length; node = walker.previousNode()) {
      if (this.ignored && node.parentElement.closest(this.ignored)) continue;
      letters = node.data.replace(/\s+/g, '') + letters;
    }
    return letters.endsWith(ending);
  },

  /** The text without what belongs to controls. */
  read() {
    const root = this.root();
    if (root === null || root === undefined) return '';
    const copy = root.cloneNode(true);
    if (this.ignored) for (const node of copy.querySelectorAll(this.ignored)) node.remove();
    return copy.textContent;
  },

  /** How much is shown by now, cheaply. */
  shown() {
    return this.root?.()?.textContent.length ?? 0;
  },
};
new PerformanceObserver((list) => window.probe.longTasks.push(...list.getEntries().map(({ startTime, duration }) => ({ startTime, duration })))).observe({ type: 'longtask' });
new PerformanceObserver((list) => window.probe.shifts.push(...list.getEntries().filter((entry) => !entry.hadRecentInput).map(({ startTime, value }) => ({ startTime, value })))).observe({ type: 'layout-shift', buffered: true });
new PerformanceObserver((list) => {
  for (const { interactionId, duration } of list.getEntries()) {
    if (interactionId > 0) window.probe.interactions.set(interactionId, Math.max(duration, window.probe.interactions.get(interactionId) ?? 0));
  }
}).observe({ type: 'event', durationThreshold: 16 });
