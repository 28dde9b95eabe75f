// The whole text through `marked` and into `innerHTML`, once a frame: what a page without a library for
// streams does when it is careful. No sanitizer, which would cost as much again.
import { marked } from 'marked';
import { serve } from './page.mjs';

serve(async (host, deltas) => {
  let text = '';
  let isAsked = false;
  const draw = () => {
    isAsked = false;
    host.innerHTML = marked.parse(text);
  };
  for await (const delta of deltas) {
    text += delta;
    if (!isAsked) requestAnimationFrame(draw);
    isAsked = true;
  }
});
