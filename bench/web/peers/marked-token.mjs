// The whole text through `marked` and into `innerHTML`, for every token: what a first version does.
import { marked } from 'marked';
import { serve } from './page.mjs';

serve(async (host, deltas) => {
  let text = '';
  for await (const delta of deltas) {
    text += delta;
    host.innerHTML = marked.parse(text);
  }
});
