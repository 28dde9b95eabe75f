/** Formulas: what is one and what is a price, in a whole text and while it grows; and what shows them. */
import { expect, test, vi } from 'vitest';
import type { RenderContext } from '../../src/md/dom';
import { lazyFormulas } from '../../src/md/formula-view';
import { mendedTex } from '../../src/lazy/tex';
import { repairTail } from '../../src/md/repair';
import { MarkdownView } from '../../src/md/stream';

/** Puts brackets of its own around every formula, so that a test can read them. */
const CONTEXT: RenderContext = {
  baseUri: 'https://app.example/', allowedImageDomains: null, labels: { copy: 'Copy', done: 'Done', open: 'To do' },
  onFormula: (place, tex, display) => (place.textContent = display ? `⟦${tex}⟧` : `⟨${tex}⟩`),
};

function html(host: HTMLElement): string {
  host.normalize();
  return host.innerHTML.replace(/ class="[^"]*"| tabindex="0"/g, ''); // eslint-disable-line no-restricted-properties -- read, never written
}

function whole(text: string): string {
  const host = document.createElement('div');
  new MarkdownView(host, CONTEXT).render(text, true);
  return html(host);
}

function streamed(text: string, size: number): HTMLElement {
  const host = document.createElement('div');
  const view = new MarkdownView(host, CONTEXT);
  for (let end = size; end < text.length; end += size) view.render(text.slice(0, end), false);
  view.render(text, false);
  return host;
}

test.each([
  // The four kinds of delimiters.
  ['Energy \\(E=mc^2\\).', '<p>Energy <span>⟨E=mc^2⟩</span>.</p>'],
  ['Energy $E=mc^2$.', '<p>Energy <span>⟨E=mc^2⟩</span>.</p>'],
  ['so \\[a * b * c\\] and $$x_1 + x_2$$ done', '<p>so <span>⟦a * b * c⟧</span> and <span>⟦x_1 + x_2⟧</span> done</p>'],
  ['\\[\nx\n\\]', '<div>⟦x⟧</div>'],
  ['$$\nx\n$$', '<div>⟦x⟧</div>'],
  ['$$x$$  ', '<div>⟦x⟧</div>'],
  // A block ends a paragraph, and nothing in it means anything.
  ['So:\n\\[\nx\n=\n5\n- y\n\\]\nand more', '<p>So:</p><div>⟦x\n=\n5\n- y⟧</div><p>and more</p>'],
  ['# Head\n$$\n# x\n> y\n1. z\n$$\n- item', '<div role="heading" aria-level="4">Head</div><div>⟦# x\n&gt; y\n1. z⟧</div><ul><li><span>item</span></li></ul>'],
  ['1. one\n   \\[\n   x\n   \\]\n2. two \\(y\\)', '<ol><li><span>one</span><div>⟦x⟧</div></li><li><span>two <span>⟨y⟩</span></span></li></ol>'],
  ['> $$\n> x\n> $$', '<blockquote><div>⟦x⟧</div></blockquote>'],
  ['| a |\n|---|\n| $x_1$ |', '<div><table><thead><tr><th>a</th></tr></thead><tbody><tr><td><span>⟨x_1⟩</span></td></tr></tbody></table></div>'],
  // Markers and backslashes inside stay; emphasis around and beside works.
  ['$a_i * b_i$ and *c*', '<p><span>⟨a_i * b_i⟩</span> and <em>c</em></p>'],
  ['**so $a*b$ it** *is $c*d$ so*', '<p><strong>so <span>⟨a*b⟩</span> it</strong> <em>is <span>⟨c*d⟩</span> so</em></p>'],
  ['\\(\\{x \\mid x > 0\\}\\)', '<p><span>⟨\\{x \\mid x &gt; 0\\}⟩</span></p>'],
  ['\\[ \\begin{aligned} a \\\\[2pt] b \\\\ c \\end{aligned} \\]', '<div>⟦\\begin{aligned} a \\\\[2pt] b \\\\ c \\end{aligned}⟧</div>'],
  ['[see $x$](https://a.example)', '<p><a href="https://a.example/" target="_blank" rel="noopener noreferrer">see <span>⟨x⟩</span></a></p>'],
  ['函数$f(x)$是\\(x^2\\)。', '<p>函数<span>⟨f(x)⟩</span>是<span>⟨x^2⟩</span>。</p>'],
  ['the $n$th and $2 \\times 3$', '<p>the <span>⟨n⟩</span>th and <span>⟨2 \\times 3⟩</span></p>'],
  ['$5 \\text{ apples}$', '<p><span>⟨5 \\text{ apples}⟩</span></p>'],
  ['$ \\alpha $ and $ x_1 $, $ a $: $ 0 < a $', '<p><span>⟨\\alpha⟩</span> and <span>⟨x_1⟩</span>, <span>⟨a⟩</span>: <span>⟨0 &lt; a⟩</span></p>'],
  ['1. $ \\frac{1}{a} $', '<ol><li><span><span>⟨\\frac{1}{a}⟩</span></span></li></ol>'],
  // Prices and names.
  ['$ 5 and $ 10, 5 $ or 10 $', '<p>$ 5 and $ 10, 5 $ or 10 $</p>'],
  ['a $ for b = 2 $ and c', '<p>a $ for b = 2 $ and c</p>'],
  ['$5 and $10', '<p>$5 and $10</p>'],
  ['$5–$10, US$5-A$6, ($5)/($10)', '<p>$5–$10, US$5-A$6, ($5)/($10)</p>'],
  ['$5, or 10$ more', '<p>$5, or 10$ more</p>'],
  ['从$5到10$之间', '<p>从$5到10$之间</p>'],
  ['**$5** and **$10**', '<p><strong>$5</strong> and <strong>$10</strong></p>'],
  ['$HOME/bin:$PATH', '<p>$HOME/bin:$PATH</p>'],
  ['the $AAPL, $MSFT and $$$', '<p>the $AAPL, $MSFT and $$$</p>'],
  ['\\$5 and 6\\$ and \\$x$', '<p>$5 and 6$ and $x$</p>'],
  // Code is code.
  ['`$x$` and ``\\(y\\)``', '<p><code>$x$</code> and <code>\\(y\\)</code></p>'],
  ['`a $b` c$', '<p><code>a $b</code> c$</p>'],
  ['    $x$', '<div><div><span></span><button type="button" data-copy="code">Copy</button></div><pre><code><span>$x$</span></code></pre></div>'],
  // What does not end, or holds a blank line, is text as ever.
  ['\\(x and y', '<p>(x and y</p>'],
  ['\\[\nx\n\ny\n\\]', '<p>[\nx</p><p>y\n]</p>'],
  ['$$ $$', '<p>$$ $$</p>'],
  ['\\\\(x\\\\)', '<p>\\(x\\)</p>'],
])('%j', (text, expected) => {
  expect(whole(text)).toBe(expected);
  for (let size = 1; size < 8; size += 1) {
    const host = document.createElement('div');
    const view = new MarkdownView(host, CONTEXT);
    for (let end = size; end < text.length; end += size) view.render(text.slice(0, end), false);
    view.render(text, true);
    expect(html(host)).toBe(expected);
  }
});

test.each([
  ['a \\(x_1 * y', '<p>a \\(x_1 * y</p>'],
  ['a \\', '<p>a </p>'],
  ['**a \\(x_1', '<p><strong>a \\(x_1</strong></p>'],
  ['So:\n\\[\n- x\n= y', '<p>So:\n\\[\n- x\n= y</p>'],
  ['$$\n# x\n> y', '<p>$$\n# x\n&gt; y</p>'],
  ['- item\n  \\[\n  - x', '<ul><li><span>item\n\\[\n- x</span></li></ul>'],
  ['from \\([0, 1)\\) on', '<p>from <span>⟨[0, 1)⟩</span> on</p>'],
  ['use `a[0]` and `b[`, well', '<p>use <code>a[0]</code> and <code>b[</code>, well</p>'],
  ['\\[x\\] is open: \\(y', '<p><span>⟦x⟧</span> is open: \\(y</p>'],
])('while it grows, %j is shown as %j', (text, expected) => {
  expect(html(streamed(text, text.length))).toBe(expected);
  expect(html(streamed(text, 1))).toBe(expected);
});

test('an open formula is not read as a list, a heading or emphasis at any moment', () => {
  const text = 'So:\n\\[\n- x_1 * y_1\n= *z*\n# w\n\\]\nand **done**.';
  for (let end = 5; end < text.indexOf('\\]') + 1; end += 1) {
    expect(html(streamed(text.slice(0, end), 3))).not.toMatch(/<(?:ul|em|strong|div)/);
  }
});

test('prices do not hold a line back', () => {
  expect(repairTail('It costs $5, or **$7')).toBe('It costs $5, or **$7**');
});

test('the part is asked for once, fills what waited, and then fills at once', async () => {
  let arrive: (part: { renderFormula: (tex: string) => Element | null; css: string }) => void = () => undefined;
  const load = vi.fn(() => new Promise<{ renderFormula: (tex: string) => Element | null; css: string }>((resolve) => (arrive = resolve)));
  const show = lazyFormulas(load, () => undefined);
  const [first, second, wrong, long] = ['$a$', '$b$', '$\\no$', '$long$'].map((source) => Object.assign(document.createElement('span'), { textContent: source }));
  show(first!, 'a', false);
  expect(first!.textContent).toBe('$a$');
  arrive({ css: '', renderFormula: (tex) => (tex === '\\no' ? null : Object.assign(document.createElement('b'), { textContent: tex })) });
  await vi.waitFor(() => expect(first!.querySelector('b')?.textContent).toBe('a'));
  show(second!, 'b', false);
  expect(second!.querySelector('b')?.textContent).toBe('b');
  show(wrong!, '\\no', false);
  expect(wrong!.textContent).toBe('$\\no$');
  show(long!, 'x'.repeat(6000), false);
  expect(long!.textContent).toBe('$long$');
  expect(load).toHaveBeenCalledTimes(1);
});

test('without the part, formulas are their source, and it is said once', async () => {
  const failed = vi.fn();
  const show = lazyFormulas(() => Promise.reject(new Error('blocked')), failed);
  const places = ['$a$', '$b$'].map((source) => Object.assign(document.createElement('span'), { textContent: source }));
  for (const place of places) show(place, 'a', false);
  await vi.waitFor(() => expect(failed).toHaveBeenCalledTimes(1));
  expect(places.map(({ textContent }) => textContent)).toEqual(['$a$', '$b$']);
});

test.each([
  ['\\text{max_iter} = 5', '\\text{max\\_iter} = 5'],
  ['\\textbf{50%} + \\text{R\\&D}', '\\textbf{50\\%} + \\text{R\\&D}'],
  ['x = 50%', 'x = 50\\%'],
  // Comments, and what means something in a formula.
  ['a &= b % so', 'a &= b % so'],
  ['x_1 = 5\\%', 'x_1 = 5\\%'],
])('what models write is taken for what they mean: %j', (tex, mended) => {
  expect(mendedTex(tex)).toBe(mended);
});
