// The element's Markdown view alone, fed token by token: what each one cost, in counts. The view keeps
// counts of its own; what the document saw is counted here beside them.
import { MarkdownView } from '../../../web/src/md/stream.ts';

const CONTEXT = { baseUri: 'https://app.example/', allowedImageDomains: null, labels: { copy: 'Copy', done: 'Done', open: 'To do' } };

/** Where the code of fences stands: from behind the opening line to the closing one. */
function fencesOf(text) {
  const fences = [];
  for (const { index, 0: whole, 1: opening } of text.matchAll(/^(```[^\n]*\n)[^]*?^```$/gm)) fences.push([index + opening.length, index + whole.length - 3]);
  return fences;
}

window.count = (text, step) => {
  const host = document.createElement('div');
  document.body.append(host);
  const view = new MarkdownView(host, CONTEXT);
  const observer = new MutationObserver(() => undefined);
  observer.observe(host, { childList: true });
  const fences = fencesOf(text);
  const most = { blocks: 0, lexedOutside: 0, lexedInside: 0, insideFences: 0 };
  for (let end = step; end < text.length; end += step) {
    const before = { ...view.counters };
    view.render(text.slice(0, end), false);
    const added = observer.takeRecords().reduce((sum, { addedNodes }) => sum + addedNodes.length, 0);
    const lexed = view.counters.lexedCharacters - before.lexedCharacters;
    most.blocks = Math.max(most.blocks, added, view.counters.blocksBuilt - before.blocksBuilt);
    const isInside = fences.some(([from, to]) => end - step >= from && end <= to);
    if (isInside) most.insideFences += 1;
    const kind = isInside ? 'lexedInside' : 'lexedOutside';
    most[kind] = Math.max(most[kind], lexed);
  }
  view.render(text, true);
  for (const node of host.querySelectorAll('.code-bar')) node.remove();
  return { ...most, shown: host.textContent };
};
