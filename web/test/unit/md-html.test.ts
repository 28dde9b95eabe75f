/** What models write besides Markdown: HTML, documents in fences, pipes in code. Whole, at any split, and while it grows. */
import { describe, expect, test } from 'vitest';
import type { RenderContext } from '../../src/md/dom';
import { repairTail } from '../../src/md/repair';
import { MarkdownView } from '../../src/md/stream';

const CONTEXT: RenderContext = { baseUri: 'https://app.example/', allowedImageDomains: ['images.example'], labels: { copy: 'Copy', done: 'Done', open: 'To do' } };

/** The HTML without attributes that are the same everywhere, and code blocks as `<pre>`. */
function html(host: HTMLElement): string {
  host.normalize();
  // eslint-disable-next-line no-restricted-properties -- read, never written
  return host.innerHTML
    .replace(/ (?:class|tabindex|target|rel|role|aria-level|loading|referrerpolicy|data-language)="[^"]*"/g, '')
    .replace(/<div><div><span>[^<]*<\/span><button[^>]*>Copy<\/button><\/div><pre><code><span>([^<]*)<\/span><\/code><\/pre><\/div>/g, '<pre>$1</pre>')
    .replace(/<div>(<table>.*?<\/table>)<\/div>/g, '$1');
}

function grown(text: string, size: number, complete = true): HTMLElement {
  const host = document.createElement('div');
  const view = new MarkdownView(host, CONTEXT);
  for (let end = size; end < text.length; end += size) view.render(text.slice(0, end), false);
  view.render(text, complete);
  return host;
}

describe.each<[string, [string, string][]]>([
  [
    'HTML',
    [
      ['a<br>b <br/> c', '<p>a<br>b <br> c</p>'],
      ['one\n\n<br>\n\ntwo', '<p>one</p><p><br></p><p>two</p>'],
      ['one<br>\ntwo', '<p>one<br>two</p>'],
      ['| a |\n|---|\n| x<br>y |', '<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>x<br>y</td></tr></tbody></table>'],
      ['| a |\n|---|\n| <ul><li>x</li><li>y</li></ul> |', '<table><thead><tr><th>a</th></tr></thead><tbody><tr><td><ul><li>x</li><li>y</li></ul></td></tr></tbody></table>'],
      ['H<sub>2</sub>O, <code>a</code>, <small>b</small>', '<p>H<sub>2</sub>O, <code>a</code>, <small>b</small></p>'],
      // Attributes go, except for the address of a link or a picture, and that as if Markdown had named it.
      ['<span style="color:red">red</span> <b onclick="x()">b</b>', '<p><span>red</span> <b>b</b></p>'],
      ['<a href="https://x.example">x</a> <a href="javascript:x()">y</a> <a>z</a>', '<p><a href="https://x.example/">x</a> <span>y</span> <span>z</span></p>'],
      ['<img src="https://images.example/a.png" alt="a"> <img src="https://other.example/b.png" alt="b">', '<p><img src="https://images.example/a.png" alt="a"> <a href="https://other.example/b.png">b</a></p>'],
      // Comments and wrappers.
      ['- a\n\n<!-- end list -->\n\n- b', '<ul><li><span>a</span></li></ul><ul><li><span>b</span></li></ul>'],
      ['a <!-- b --> c', '<p>a  c</p>'],
      ['<div align="center">\n\n# Title\n\n</div>\n\ntext', '<div>Title</div><p>text</p>'],
      ['<p>One</p>\n<p>Two <b>x</b></p>', '<p><p>One</p><p>Two <b>x</b></p></p>'],
      ['<ul>\n<li>a</li>\n<li>b</li>\n</ul>', '<p><ul><li>a</li><li>b</li></ul></p>'],
      ['<div>\n**bold**\n</div>', '<p><div><strong>bold</strong></div></p>'],
      // What has no end, or is no tag of ours, is text.
      ['<!-- never closed\n\n**b**', '<p>&lt;!-- never closed</p><p><strong>b</strong></p>'],
      ['List<String>, <T>, a <div> and <b>', '<p>List&lt;String&gt;, &lt;T&gt;, a &lt;div&gt; and &lt;b&gt;</p>'],
      ['<custom-tag>x</custom-tag> <b-x>y</b-x>', '<p>&lt;custom-tag&gt;x&lt;/custom-tag&gt; &lt;b-x&gt;y&lt;/b-x&gt;</p>'],
      ['1 < 2, a<b, <3', '<p>1 &lt; 2, a&lt;b, &lt;3</p>'],
      ['<script>\nx()\n\ny()\n</script>', '<p>&lt;script&gt;\nx()\n\ny()\n&lt;/script&gt;</p>'],
      ['[nowhere]()', '<p><span>nowhere</span></p>'],
      // Characters by name.
      ['&uuml;&Eacute;&szlig; &rArr; &Omega;&sigma;&sigmaf; &frac34; &zwj;.', '<p>üÉß ⇒ Ωσς ¾ \u200d.</p>'],
      ['&nothing; &amp;amp; AT&T &copy', '<p>&amp;nothing; &amp;amp; AT&amp;T &amp;copy</p>'],
    ],
  ],
  [
    'what can be unfolded',
    [
      ['<details>\n<summary>Click **me**</summary>\n\nThe *answer*\n\n- a\n\n</details>\n\nafter', '<details><summary>Click <strong>me</strong></summary><div><p>The <em>answer</em></p><ul><li><span>a</span></li></ul></div></details><p>after</p>'],
      ['<details><summary>q</summary>a</details>', '<details><summary>q</summary><div><p>a</p></div></details>'],
      ['<details>\n<summary>\nq\n</summary>\n<details>\n<summary>r</summary>\ns\n</details>\nt\n</details>\nu', '<details><summary>q</summary><div><details><summary>r</summary><div><p>s</p></div></details><p>t</p></div></details><p>u</p>'],
      ['- a\n\n  <details>\n  <summary>q</summary>\n\n  b\n\n  </details>\n- c', '<ul><li><p>a</p><details><summary>q</summary><div><p>b</p></div></details></li><li><p>c</p></li></ul>'],
      // Without an end it hides nothing.
      ['<details>\n<summary>q</summary>\na', '<details open=""><summary>q</summary><div><p>a</p></div></details>'],
      ['- <details>\n  a', '<ul><li><details open=""><div><p>a</p></div></details></li></ul>'],
    ],
  ],
  [
    'a document in a fence',
    [
      ['```markdown\n# T\n```js\na()\n```\nend\n```\nafter', '<pre># T\n```js\na()\n```\nend</pre><p>after</p>'],
      ['```md\n```a\n```b\n```\n```\n```\nafter', '<pre>```a\n```b\n```\n```</pre><p>after</p>'],
      ['- a\n  ```markdown\n  b\n  ```js\n  c\n  ```\n  d\n  ```\n- e', '<ul><li><span>a</span><pre>b\n```js\nc\n```\nd</pre></li><li><span>e</span></li></ul>'],
      [' ```md\n a\n ```js\n   b\n ```\n ```\nc', '<pre>a\n```js\n  b\n```</pre><p>c</p>'],
      ['```markdown\nplain\n```\nafter\n```js\nx\n```', '<pre>plain</pre><p>after</p><pre>x</pre>'],
      ['````markdown\n```js\na\n```\n````\nb', '<pre>```js\na\n```</pre><p>b</p>'],
      // Another language has no fences, and where they do not come out even, each ends at the first bare one.
      ['```text\n```js\n```\na', '<pre>```js</pre><p>a</p>'],
      ['```markdown\n```js\na\n```\nb', '<pre>```js\na</pre><p>b</p>'],
    ],
  ],
  [
    'a pipe in code or in a formula',
    [
      ['| a | b |\n|:--|--:|\n| `x || y` | 1 |\n| $|x|$ | 2 |\n| `p\\|q` | 3 |', '<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td><code>x || y</code></td><td>1</td></tr><tr><td><span>$|x|$</span></td><td>2</td></tr><tr><td><code>p|q</code></td><td>3</td></tr></tbody></table>'],
      ['| `a|b` | c |\n|---|---|\n| 1 | 2 |', '<table><thead><tr><th><code>a|b</code></th><th>c</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table>'],
      // A row that fits is read as GitHub reads it.
      ['| a | b |\n|---|---|\n| `x | y` |\n| $5 | $6 |', '<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>`x</td><td>y`</td></tr><tr><td>$5</td><td>$6</td></tr></tbody></table>'],
    ],
  ],
])('%s', (_, cases) => {
  test.each(cases)('%j', (text, expected) => {
    expect(html(grown(text, text.length))).toBe(expected);
    for (let size = 1; size < 9; size += 1) expect(html(grown(text, size))).toBe(expected);
  });
});

describe('while it grows', () => {
  test.each([
    // Half a tag waits, and one that is open is closed.
    ['a <br', 'a '],
    ['a <span class="x', 'a '],
    ['a <!-- end li', 'a '],
    ['see <https://exa', 'see '],
    ['H<sub>2', 'H<sub>2</sub>'],
    ['**H<sub>2', '**H<sub>2</sub>**'],
    ['<b>x</b> y', '<b>x</b> y'],
    ['H<sub>2</', 'H<sub>2</sub>'],
    // What looks like one and is none is shown.
    ['if a <b then c', 'if a <b then c'],
    ['I <3 you', 'I <3 you'],
    ['`a <b', '`a <b`'],
    [`a <x y="${'z'.repeat(400)}`, `a <x y="${'z'.repeat(400)}`],
    // Addresses with brackets and titles; a picture in a link.
    ['see [w](https://x.example/a_(b', 'see w'],
    ['see [w](https://x.example/a_(b) "ti', 'see w'],
    ["see [w](https://x.example 'ti", 'see w'],
    ['see [w](https://x.example ', 'see w'],
    ['see [![a](https://images.exa', 'see '],
    ['see [![a](https://images.example/a.png)](https://x', 'see ![a](https://images.example/a.png)'],
    // Boxes and definitions are known by what follows.
    ['- a\n- [x] ', '- a'],
    ['> - [ ]', ''],
    ['- [x] b', '- [x] b'],
    ['a\n\n[b]: ', 'a\n'],
    ['a\n\n[^1]: ', 'a\n\n[^1]: '],
    // Fences in a document are not the end of it.
    ['```md\n```js\n```\n**a', '```md\n```js\n```\n**a'],
  ])('%j is shown as %j', (text, shown) => {
    expect(repairTail(text)).toBe(shown);
  });

  test('a document stays one block of code', () => {
    const text = '```markdown\n# T\n```js\na()\n```\n- end\n';
    for (let end = 12; end <= text.length; end += 1) {
      const host = grown(text.slice(0, end), 5, false);
      expect([...host.children].map(({ className }) => className)).toEqual(['code-block']);
    }
  });

  test('what somebody has unfolded stays so, and what comes is put into it', () => {
    const host = document.createElement('div');
    const view = new MarkdownView(host, CONTEXT);
    view.render('<details>\n<summary>q</summary>\n\none', false);
    const details = host.querySelector('details')!;
    expect(details.open).toBe(false);
    details.open = true;
    view.render('<details>\n<summary>q</summary>\n\none and two\n\nthree\n\n</details>\n\nend', false);
    view.render('<details>\n<summary>q</summary>\n\none and two\n\nthree\n\n</details>\n\nend.', true);
    expect(host.querySelector('details')).toBe(details);
    expect(details.open).toBe(true);
    expect([...details.querySelectorAll('p')].map(({ textContent }) => textContent)).toEqual(['one and two', 'three']);
  });
});

test.each([
  ['- one\n- two\n- three and', '- one\n- two\n- three and more', 'li'],
  ['Words and *more', 'Words and *more* words', 'p'],
  ['| a |\n|---|\n| 1 |\n| 2', '| a |\n|---|\n| 1 |\n| 2 |', 'tr'],
  // A definition somewhere rebuilds only what it changes.
  ['See [here] and [there].\n\n[x]: https://x.exam', 'See [here] and [there].\n\n[x]: https://x.example', 'p'],
])('the end leaves what may be selected where it is: %j', (before, whole, selector) => {
  const host = document.createElement('div');
  const view = new MarkdownView(host, CONTEXT);
  view.render(before, false);
  const first = host.querySelector(selector)!;
  const text = first.firstChild;
  view.render(whole, true);
  expect(host.querySelector(selector)).toBe(first);
  expect(first.firstChild).toBe(text);
  expect(html(host)).toBe(html(grown(whole, whole.length)));
});
