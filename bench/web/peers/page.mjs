// What every other renderer's page shares: it reads the stream, hands the tokens over one by one, and
// keeps the end in view as a chat does. It parses less than the element has to, which is in their favour.

/** The tokens of the stream, as they come. */
async function* deltas() {
  const response = await fetch('/stream');
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split('\n\n');
    rest = events.pop();
    for (const event of events) yield JSON.parse(event.slice('data: '.length)).delta;
  }
}

/** `show(host, deltas)` draws the tokens in `host` until there are no more. */
export function serve(show, { ignored = '', root = (host) => host } = {}) {
  window.begin = async (ending) => {
    const host = document.getElementById('host');
    const scroller = document.getElementById('scroller');
    new ResizeObserver(() => (scroller.scrollTop = scroller.scrollHeight)).observe(host);
    window.probe.begin({ root: () => root(host), ignored });
    await show(host, deltas());
    return window.probe.end(ending);
  };
}
