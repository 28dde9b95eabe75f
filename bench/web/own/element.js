// The page of the element: what a measurement asks it to do.
const chat = document.getElementById('chat');
const inside = (selector) => chat.shadowRoot.querySelector(selector);

/** Lets a frame be painted. */
const painted = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));

async function until(isSo) {
  while (!isSo()) await new Promise((next) => requestAnimationFrame(next));
  await painted();
}

/** From the options to the start screen and to `chatkit.ready`, in milliseconds. */
window.start = async () => {
  const began = performance.now();
  const ready = new Promise((resolve) => chat.addEventListener('chatkit.ready', () => resolve(performance.now() - began), { once: true }));
  chat.setOptions({ api: { url: '/chatkit' }, thread: { autoScroll: true }, startScreen: { greeting: 'Hello there', prompts: [{ label: 'Begin', prompt: 'go', icon: 'sparkle' }] } });
  await until(() => chat.shadowRoot?.textContent.includes('Hello there') && chat.shadowRoot.textContent.includes('Begin'));
  return { painted: performance.now() - began, ready: await ready };
};

/** Follows the answer to the message that is about to be sent to its end. */
window.begin = async (ending) => {
  window.probe.begin({ root: () => inside('.assistant-message .markdown'), ignored: '.code-bar, button' });
  const over = new Promise((resolve) => chat.addEventListener('chatkit.response.end', resolve, { once: true }));
  await over;
  return window.probe.end(ending);
};

/** Opens the long thread: the time to its last answer on screen. */
window.openThread = async (last) => {
  const began = performance.now();
  window.probe.started = began;
  void chat.setThreadId('thr_long');
  await until(() => [...chat.shadowRoot.querySelectorAll('.assistant-message .markdown')].at(-1)?.textContent.includes(last));
  return performance.now() - began;
};

/** The first line of each item, in order. */
window.firstLines = () => [...chat.shadowRoot.querySelectorAll('.assistant-message .markdown, .user-message')].map((node) => /(?:Question|Answer) \d+/.exec(node.textContent)?.[0]);

/** From now on, how far the view moves by itself. */
window.watchScroll = () => {
  const view = inside('.thread');
  const before = view.scrollTop;
  window.moved = 0;
  const look = () => {
    window.moved = Math.max(window.moved, Math.abs(view.scrollTop - before));
    requestAnimationFrame(look);
  };
  look();
  return view.scrollHeight - view.scrollTop - view.clientHeight;
};
