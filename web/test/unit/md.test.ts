/** The Markdown view: however a text arrives, the result is that of one parse; nothing in it can run. */
import fc from 'fast-check';
import { Lexer, type Token, Tokenizer, type Tokens } from 'marked';
import { describe, expect, test } from 'vitest';
import type { RenderContext } from '../../src/md/dom';
import { lex } from '../../src/md/lexer';
import { repairTail } from '../../src/md/repair';
import { deeplinkOf, ownImage, safeImage, safeLink } from '../../src/md/safe-url';
import { MarkdownView } from '../../src/md/stream';

const CONTEXT: RenderContext = { baseUri: 'https://app.example/', allowedImageDomains: ['images.example'], labels: { copy: 'Copy', done: 'Done', open: 'To do' } };

const PIECES = [
  '# Heading\n\n', 'Setext\n===\n\n', 'plain words ', '**bold** ', '*em* ', '`code` ', '~~gone~~ ', '\n', '\n\n', '- item\n', '  - nested\n',
  '1. one\n', '2. two\n', '- [ ] open\n', '- [x] done\n', '> quote\n', '---\n', '```js\n', 'let a = 1;\n', '```\n', '~~~\n', '    indented\n',
  '| a | b |\n', '|---|--:|\n', '| 1 | 2 |\n', '[link](https://x.example) ', '[ref][r] ', '[r]: https://r.example\n', '![img](https://images.example/a.png) ',
  'https://auto.example。后面', 'https://auto.example/a，', '（https://auto.example/b）', 'www.auto.example“', '\u200b',
  '<b>html</b> ', '<div>\n', '</div>\n', '<!-- comment ', '-->\n', '&amp; &lt; ', '\\* ', 'https://auto.example ', 'é世界🎉', '**open', '[half](ht', '\r\n', '$', '|', '*', '_', '`', '  ', '<kbd>k</kbd> ',
  '<details>\n', '<summary>more</summary>\n', '</details>\n', '```md\n', '````\n', '<br>\n', '<!-- c -->\n\n', '<span class="x">', '</span>', '<ul>\n<li>', '</li></ul>', '<a href="https://h.example">h</a> ', '| `a|b` | 1 |\n', '\n<p>',
];
const documents = fc.oneof(
  { weight: 4, arbitrary: fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 40 }).map((pieces) => pieces.join('')) },
  { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom(...Array.from('ab1 *_~`$\\()[]<>|-=#:!.\n\n\t"中。「é🎉')), minLength: 1, maxLength: 120 }) },
);

function host(): HTMLElement {
  return document.createElement('div');
}

function oneShot(text: string): HTMLElement {
  const element = host();
  new MarkdownView(element, CONTEXT).render(text, true);
  return element;
}

/** Markup for comparing in tests only; text nodes that differ in number but not in text are equal. */
function shape(node: Node): string {
  node.normalize();
  return (node as HTMLElement).innerHTML; // eslint-disable-line no-restricted-properties -- read, never written
}

class TwoTildes extends Tokenizer {
  override del(src: string, masked: string, before?: string): Tokens.Del | undefined {
    return src.startsWith('~~') ? super.del(src, masked, before) : undefined;
  }
}

function inlineOf(token: Token): string {
  const { tokens } = token as Tokens.Generic;
  return tokens === undefined ? token.raw : inlineShape(tokens);
}

function inlineShape(tokens: readonly Token[]): string {
  return tokens.map((token) => `${token.type}(${inlineOf(token)})`).join('');
}

describe('bare addresses', () => {
  const links = (text: string): string[] => [...oneShot(text).querySelectorAll('a')].map(({ href }) => href);

  test.each<[string, string[]]>([
    ['看https://example.com。后面', ['https://example.com/']],
    ['（https://example.com/a）和「https://example.com/b」', ['https://example.com/a', 'https://example.com/b']],
    ...Array.from('。，、．：；！？…（）「」『』【】《》〈〉〔〕［］｛｝｡､｢｣“”„‘«»।،؛؟۔﹐﹔｜ \u3000\u200b\u200e\u202e\u2060\u2066\ufeff', (end): [string, string[]] => [`https://example.com/path${end}谢谢`, ['https://example.com/path']]),
    // Beside the host, anything else would make it another host.
    ...Array.from('的에のไд—–‘’～・１', (next): [string, string[]] => [`https://example.com${next}x y`, ['https://example.com/']]),
    ['http://localhost:3000的 http://localhost:3000。', ['http://localhost:3000/', 'http://localhost:3000/']],
    ['www.example.com。后面 www.example.com/a，后面', ['http://www.example.com/', 'http://www.example.com/a']],
    ['https://example.com?q=1。 https://example.com#a」', ['https://example.com/?q=1', 'https://example.com/#a']],
    ['‘https://example.com/a’ https://example.com/b～ https://example.com/c’。', ['https://example.com/a', 'https://example.com/b', 'https://example.com/c']],
    ['https://example.com/Rock’n’Roll', ['https://example.com/Rock%E2%80%99n%E2%80%99Roll']],
    ['**https://example.com/a**。 **https://example.com/b。** *https://example.com/c*、', ['https://example.com/a', 'https://example.com/b', 'https://example.com/c']],
    ['https://example.com/a. (https://example.com/b(c)) https://example.com/d.。', ['https://example.com/a', 'https://example.com/b(c)', 'https://example.com/d']],
    ['联系a@example.com。谢谢', ['mailto:a@example.com']],
    // A version is no address.
    ['npm i lodash@4.17.21 @types/node@20.1.0', []],
  ])('%j is %j', (text, expected) => {
    expect(links(text)).toEqual(expected);
    expect(oneShot(text).textContent).toBe(text.replaceAll(/[*]/g, ''));
  });

  test.each([
    ['https://example.com/wiki/日本 です', 'https://example.com/wiki/%E6%97%A5%E6%9C%AC'],
    ['https://example.com/wiki/ジョン・レノン は', 'https://example.com/wiki/%E3%82%B8%E3%83%A7%E3%83%B3%E3%83%BB%E3%83%AC%E3%83%8E%E3%83%B3'],
    ['https://example.com/q?w=日本#見 x', 'https://example.com/q?w=%E6%97%A5%E6%9C%AC#%E8%A6%8B'],
    ['https://example.com/Michelson–Morley x', 'https://example.com/Michelson%E2%80%93Morley'],
    ['https://müller.example/ä x', 'https://xn--mller-kva.example/%C3%A4'],
    ['https://www.日本.example/a x', 'https://www.xn--wgv71a.example/a'],
    ['https://www.пример.example x', 'https://www.xn--e1afmkfd.example/'],
    ['[x](https://example.com/a。b)', 'https://example.com/a%E3%80%82b'],
    ['<https://example.com/a。b>', 'https://example.com/a%E3%80%82b'],
  ])('%j is whole', (text, href) => {
    expect(links(text)).toEqual([href]);
  });
});

describe('streaming', () => {
  test('any split of a text ends in the DOM of one parse', () => {
    fc.assert(
      fc.property(documents, fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 }), (text, steps) => {
        const element = host();
        const view = new MarkdownView(element, CONTEXT);
        for (let end = 0, index = 0; end < text.length; index += 1) {
          end += steps[index % steps.length]!;
          view.render(text.slice(0, end), false);
        }
        view.render(text, true);
        expect(shape(element)).toBe(shape(oneShot(text)));
      }),
      { numRuns: 1500 },
    );
    // So many documents take a while on a machine that has other things to do.
  }, 120_000);

  test('an open fence is appended to and not lexed', () => {
    const element = host();
    const view = new MarkdownView(element, CONTEXT);
    let text = 'Before\n\n```rust\nfn main() {\n';
    view.render(text, false);
    const before = { ...view.counters };
    const code = element.querySelector('code')!;
    for (let line = 0; line < 200; line += 1) {
      text += `    let x${line} = ${line};\n`;
      view.render(text, false);
    }
    expect(view.counters.lexedCharacters).toBe(before.lexedCharacters);
    expect(view.counters.blocksBuilt).toBe(before.blocksBuilt);
    expect(element.querySelector('code')).toBe(code);
    expect(code.textContent).toContain('let x199 = 199;');
    expect(code.children.length).toBeGreaterThan(4);
  });

  test('finished blocks keep their nodes through the end', () => {
    const text = '# One\n\ntwo\n\n- three\n- four\n\n```js\nfive()\n```\n\nsix\n\nseven';
    const element = host();
    const view = new MarkdownView(element, CONTEXT);
    for (let end = 1; end <= text.length; end += 1) view.render(text.slice(0, end), false);
    const nodes = [...element.children];
    view.render(text, true);
    expect([...element.children]).toEqual(nodes);
    nodes.forEach((node, index) => expect(element.children[index]).toBe(node));
  });

  test('a text that is replaced starts over', () => {
    const element = host();
    const view = new MarkdownView(element, CONTEXT);
    view.render('first\n\nanswer', false);
    view.render('second', true);
    expect(element.textContent).toBe('second');
  });

  test.each([
    ['## a\n\n#### b\n\n### c\n\n# d\n\n## e', [4, 5, 5, 4, 5]],
    ['### a\n\n> ###### b\n\n- ## c\n', [4, 5, 4]],
    ['# a\n\n## b\n\n### c\n\n#### d\n\n##### e\n\n###### f', [4, 5, 6, 7, 8, 9]],
  ])('headings have no holes, at any moment: %j', (text, levels) => {
    const element = host();
    const view = new MarkdownView(element, CONTEXT);
    const found = (): number[] => [...element.querySelectorAll('[role=heading]')].map((node) => Number(node.getAttribute('aria-level')));
    for (let end = 1; end <= text.length; end += 1) {
      view.render(text.slice(0, end), false);
      found().forEach((level, index, all) => expect(level - (all[index - 1] ?? 3)).toBeLessThanOrEqual(1));
    }
    view.render(text, true);
    expect(found()).toEqual(levels);
  });

  test('a link definition at the end reaches brackets at the beginning', () => {
    const text = 'See [the docs][d].\n\nmore\n\nmore\n\nmore\n\n[d]: https://docs.example/';
    const element = host();
    const view = new MarkdownView(element, CONTEXT);
    for (let end = 1; end <= text.length; end += 5) view.render(text.slice(0, end), false);
    expect(element.querySelector('a')).toBeNull();
    view.render(text, true);
    expect(element.querySelector('a')?.href).toBe('https://docs.example/');
  });

  test.each([
    // Its beginning was a definition, its end is none.
    'See [the docs][d] and [d].\n\n[d]: https://docs.example/ and more words',
    'See [the docs][d].\n\n[d]: https://docs.example/ "half a title\n\nmore',
    'See [d].\n\n[d]: https://docs.example/\n[e]: no address but words',
    // The first of two counts.
    '[d]: https://one.example\n\n[d]: https://two.example\n\nSee [d].',
    '> [d]: https://one.example\n\n- [d]\n\n[d]: https://two.example',
    'A claim[^1] and [^2].\n\n[^1]: note\n[^2]: A longer note with [d].\n\n[d]: https://docs.example/',
    'A claim[^1].\n\n[^1]: https://source.example/page\n',
  ])('definitions: any split of %j', (text) => {
    const whole = shape(oneShot(text));
    for (let size = 1; size <= 30; size += 1) {
      const element = host();
      const view = new MarkdownView(element, CONTEXT);
      for (let end = size; end < text.length; end += size) {
        view.render(text.slice(0, end), false);
        for (const { href } of element.querySelectorAll('a')) expect(text).toContain(href.replace(/\/$/, ''));
      }
      view.render(text, true);
      expect(shape(element)).toBe(whole);
    }
  });

  test('a definition counts when it is whole, never before', () => {
    const text = 'See [d].\n\nmore\n\n[d]: https://docs.example/guide\n\nand [d] again\n\nmore';
    const element = host();
    const view = new MarkdownView(element, CONTEXT);
    const seen = new Set<string>();
    for (let end = 1; end <= text.length; end += 1) {
      view.render(text.slice(0, end), false);
      for (const { href } of element.querySelectorAll('a')) seen.add(href);
    }
    view.render(text, true);
    expect([...seen]).toEqual(['https://docs.example/guide']);
    expect(element.querySelectorAll('a').length).toBe(2);
  });

  test('a note is no link to its first word', () => {
    expect(shape(oneShot('A claim[^1].\n\n[^1]: Smith'))).toBe('<p>A claim[^1].</p><p>[^1]: Smith</p>');
  });

  test('what costs too much as a whole looks the same however it came', () => {
    const text = Array.from({ length: 12 }, (_, index) => `${index} ${'*a '.repeat(600)}**b** ${'_c '.repeat(300)}`).join('\n\n');
    const element = host();
    const view = new MarkdownView(element, CONTEXT);
    for (let end = 1500; end < text.length; end += 1500) view.render(text.slice(0, end), false);
    view.render(text, true);
    expect(shape(element)).toBe(shape(oneShot(text)));
  });

  test('nesting deeper than any stack is shown, not thrown', () => {
    const text = `${'> '.repeat(20_000)}deep`;
    expect(() => oneShot(text)).not.toThrow();
    expect(oneShot(text).textContent).toContain('deep');
  });
});

describe('what the end of a stream looks like', () => {
  test.each([
    ['a **bo', 'a **bo**'],
    ['a **bold** b', 'a **bold** b'],
    ['a *it', 'a *it*'],
    ['**a *b', '**a *b***'],
    ['use `co', 'use `co`'],
    ['see [the docs](https://exa', 'see the docs'],
    ['see [the do', 'see the do'],
    ['![alt](https://x', ''],
    ['snake_case_name', 'snake_case_name'],
    ['- [', ''],
    ['| a | b |', ''],
    ['| a | b |\n|---', ''],
    ['| a | b |\n|---|---|', '| a | b |\n|---|---|'],
    // A row of headings waits for the row below it, wherever the table is.
    ['text\n| a | b |', 'text'],
    ['- item\n  | a | b |\n', '- item'],
    ['- | a | b |\n  |--', ''],
    ['> | a | b |\n> |', ''],
    ['| a \\| b |\n|---|', '| a \\| b |\n|---|'],
    ['| a \\| b | c |\n|---|', ''],
    ['| a | b |\n|:-:|-:|\n| 1', '| a | b |\n|:-:|-:|\n| 1'],
    // What begins with a pipe and is no row is a paragraph.
    ['|x| is the absolute value of x', '|x| is the absolute value of x'],
    ['|x| is the absolute value of x\n', '|x| is the absolute value of x\n'],
    ['|x| is the absolute value of x, |y', '|x| is the absolute value of x, |y'],
    ['| a | b |\nand text', '| a | b |\nand text'],
    ['| a | b |\n| c | d |\nx', '| a | b |\n| c | d |\nx'],
    ['\\|x\\| is', '\\|x\\| is'],
    ['title\n--', 'title'],
    ['text **', 'text '],
    ['```js\nlet **a', '```js\nlet **a'],
    ['2 * 3 * 4', '2 * 3 * 4'],
  ])('%j is shown as %j', (source, shown) => {
    expect(repairTail(source)).toBe(shown);
  });
});

test('two tildes strike through, and one is a range', () => {
  const element = oneShot('3~5 days, 100~200 dollars, ~~gone~~, ~one~');
  expect(shape(element)).toBe('<p>3~5 days, 100~200 dollars, <del>gone</del>, ~one~</p>');
});

describe('between numbers, stars multiply', () => {
  test.each([
    ['5! = 5*4*3*2*1', '5! = 5*4*3*2*1'],
    ['2**10 is 1024, 3**2 is 9', '2**10 is 1024, 3**2 is 9'],
    ['*in all 2*3 and* **2*3**', '<em>in all 2*3 and</em> <strong>2*3</strong>'],
    ['**5**, *6* and 7 * 8 * 9', '<strong>5</strong>, <em>6</em> and 7 * 8 * 9'],
    ['**1**a and a*b*c', '<strong>1</strong>a and a<em>b</em>c'],
  ])('%s', (text, html) => {
    expect(shape(oneShot(text))).toBe(`<p>${html}</p>`);
    const element = host();
    const view = new MarkdownView(element, CONTEXT);
    for (let end = 1; end < text.length; end += 1) view.render(text.slice(0, end), false);
    view.render(text, false);
    expect(shape(element)).toBe(`<p>${html}</p>`);
  });
});

describe('a paragraph that begins with a pipe', () => {
  const sentences = ['|x| is the absolute value of x, and is never negative; |y| is that of y', 'so:\n|x| is the absolute value of x, as ever', '- |x| is the absolute value of x, as ever', '\\|x\\| ≤ 1'];

  test.each(sentences)('is shown while it grows, and stays: %j', (text) => {
    const element = host();
    const view = new MarkdownView(element, CONTEXT);
    let longest = 0;
    for (let end = 1; end <= text.length; end += 1) {
      view.render(text.slice(0, end), false);
      const shown = element.textContent.length;
      expect(shown).toBeGreaterThanOrEqual(longest - 1);
      longest = Math.max(longest, shown);
      if (end > 40) expect(shown).toBeGreaterThan(20);
    }
    view.render(text, true);
    expect(element.querySelector('table')).toBeNull();
  });

  test.each([
    ['| a | b |\n|---|---|\n| 1 | 2 |', 1],
    ['- item\n\n  | a | b |\n  |---|---|\n  | 1 | 2 |\n- next', 1],
    ['- | a |\n  |---|\n  | 1 |', 1],
    ['text\n| a | b |\n|:-|-:|\n| 1 \\| 2 | 3 |', 1],
    ['> | a |\n> |---|\n> | 1 |', 1],
    ['| a | b |\n| 1 | 2 |', 0],
    ['| a | b |\n|---|\n| 1 | 2 |', 0],
  ])('%j holds %i tables, and never shows its first rows as text', (text, tables) => {
    const element = host();
    const view = new MarkdownView(element, CONTEXT);
    for (let end = 1; end <= text.length; end += 1) {
      view.render(text.slice(0, end), false);
      if (tables > 0) expect([...element.querySelectorAll('p, li > span')].map((node) => node.textContent).join('')).not.toContain('|');
    }
    view.render(text, true);
    expect(element.querySelectorAll('table').length).toBe(tables);
  });
});

describe('emphasis beside Chinese, Japanese and Korean', () => {
  test.each([
    // Punctuation of these scripts inside, letters outside.
    ['**注意：**正文', '<strong>注意：</strong>正文'],
    ['これは**「重要」**な点です。', 'これは<strong>「重要」</strong>な点です。'],
    ['他说**“你好”**的时候', '他说<strong>“你好”</strong>的时候'],
    ['请看*（附录）*和*《书》*吧', '请看<em>（附录）</em>和<em>《书》</em>吧'],
    ['**完了。**次へ', '<strong>完了。</strong>次へ'],
    ['**完了。**Next', '<strong>完了。</strong>Next'],
    ['前***！！***后', '前<em><strong>！！</strong></em>后'],
    ['~~取消。~~改为', '<del>取消。</del>改为'],
    ['他~~“错”~~对', '他<del>“错”</del>对'],
    ['𠮷**「野」**家', '𠮷<strong>「野」</strong>家'],
    // Other punctuation beside their letters.
    ['**스크립트(script)**를', '<strong>스크립트(script)</strong>를'],
    ['값은**"x"**이다', '값은<strong>"x"</strong>이다'],
    ['使用**`code`**吧', '使用<strong><code>code</code></strong>吧'],
    ['价格是**$5**元', '价格是<strong>$5</strong>元'],
    // Both kinds of markers in one line, and one in the other.
    ['**A：**甲*「乙」*丙**「丁」**', '<strong>A：</strong>甲<em>「乙」</em>丙<strong>「丁」</strong>'],
    ['**甲*「乙」*丙。**丁', '<strong>甲<em>「乙」</em>丙。</strong>丁'],
    // Underscores belong to names, here as elsewhere.
    ['甲_「乙」_丙', '甲_「乙」_丙'],
    ['。_乙_。', '。<em>乙</em>。'],
    // Blanks still decide, and text of other scripts reads as in CommonMark.
    ['甲 ** 乙 ** 丙', '甲 ** 乙 ** 丙'],
    ['**甲 **乙', '**甲 **乙'],
    ['a**"b"**c', 'a**"b"**c'],
    ['**a:**b', '**a:**b'],
    ['a*b*c 和 3×4', 'a<em>b</em>c 和 3×4'],
  ])('%s', (text, html) => {
    const plain = (node: HTMLElement): string => shape(node).replaceAll(' class="inline-code"', '').replaceAll('&quot;', '"');
    expect(plain(oneShot(text))).toBe(`<p>${html}</p>`);
    for (let size = 1; size < 4; size += 1) {
      const element = host();
      const view = new MarkdownView(element, CONTEXT);
      for (let end = size; end < text.length; end += size) view.render(text.slice(0, end), false);
      view.render(text, false);
      expect(plain(element)).toBe(`<p>${html}</p>`);
      view.render(text, true);
      expect(plain(element)).toBe(`<p>${html}</p>`);
    }
  });

  test('text without these scripts becomes what CommonMark makes of it', () => {
    const words = fc.array(fc.constantFrom('*', '**', '***', '_', '~~', 'a', 'b c', ' ', '(', ')', '.', '"', '`c`', '\\*'), { maxLength: 14 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(words, (text) => {
        expect(inlineShape(lex(text).tokens)).toBe(inlineShape(new Lexer({ gfm: true, tokenizer: new TwoTildes() }).lex(text)));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('nothing can run', () => {
  const CORPUS = [
    '<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '[a](javascript:alert(1))', '[a](JaVaScRiPt:alert(1))', '[a](java\tscript:alert(1))',
    '[a](&#106;avascript:alert(1))', '[a](data:text/html,<script>alert(1)</script>)', '[a](vbscript:x)', '![a](javascript:alert(1))',
    '<svg onload=alert(1)>', '<a href="javascript:alert(1)">x</a>', '<iframe srcdoc="<script>alert(1)</script>">', '[a](file:///etc/passwd)',
    '<b onclick=alert(1)>x</b>', '[x](\u0001javascript:alert(1))', '<javascript:alert(1)>', '[a](blob:https://x/y)', '<details open ontoggle=alert(1)>',
    '```"><script>alert(1)</script>\ncode\n```', '[a]: javascript:alert(1)\n\n[a]', '![x](data:image/svg+xml,<svg onload=alert(1)>)',
  ];
  const ALLOWED = new Set(['p', 'div', 'span', 'a', 'b', 'code', 'pre', 'button', 'em', 'strong', 'ul', 'li', 'blockquote', 'details']);

  test.each(CORPUS)('%s', (text) => {
    const element = oneShot(text);
    for (const node of element.querySelectorAll('*')) {
      expect(ALLOWED).toContain(node.localName);
      for (const { name, value } of node.attributes) {
        expect(name).not.toMatch(/^on|^style$|^srcdoc$/);
        if (name === 'href' || name === 'src') expect(value).toMatch(/^(?:https?:|mailto:|tel:)/);
      }
    }
  });

  test('links', () => {
    const base = 'https://app.example/chat';
    expect(safeLink('/help', base)).toBe('https://app.example/help');
    expect(safeLink('mailto:a@b.example', base)).toBe('mailto:a@b.example');
    expect(safeLink('javascript:alert(1)', base)).toBeNull();
    expect(safeLink('https://[bad', base)).toBeNull();
  });

  test('images load only from the list of the thread', () => {
    const base = 'https://app.example/';
    expect(safeImage('https://images.example/a.png', base, ['images.example'])).toBe('https://images.example/a.png');
    expect(safeImage('https://cdn.images.example/a.png', base, ['images.example'])).not.toBeNull();
    expect(safeImage('https://notimages.example/a.png', base, ['images.example'])).toBeNull();
    expect(safeImage('https://images.example/a.png', base, null)).toBeNull();
    expect(safeImage('data:image/png;base64,AAAA', base, null)).not.toBeNull();
    expect(safeImage('data:image/svg+xml,<svg/>', base, null)).toBeNull();
    expect(oneShot('![a](https://tracker.example/p.gif?secret)').querySelector('img')).toBeNull();
    expect(oneShot('![a](https://images.example/p.gif)').querySelector('img')?.referrerPolicy).toBe('no-referrer');
  });

  test('pictures of the server itself load from the web and inline', () => {
    const base = 'https://app.example/';
    expect(ownImage('/a.png', base)).toBe('https://app.example/a.png');
    expect(ownImage('data:image/png;base64,AAAA', base)).toBe('data:image/png;base64,AAAA');
    for (const src of ['', 'data:image/svg+xml,<svg/>', 'data:text/html,x', 'javascript:alert(1)', 'mailto:a@b.example', 'https://[']) expect(ownImage(src, base)).toBeNull();
  });

  test('deep links are events, not addresses', () => {
    expect(deeplinkOf('chatkit-link://source?source_id=7&locator=a%20b')).toEqual({ name: 'source', data: { source_id: '7', locator: 'a b' } });
    expect(deeplinkOf('chatkit-link://file-run_12')).toEqual({ name: 'file-run_12', data: {} });
    expect(deeplinkOf('chatkit-link://a/b%2Fc')?.name).toBe('a/b/c');
    expect(deeplinkOf('https://x')).toBeNull();
    const element = oneShot('[open](chatkit-link://task?id=1)');
    expect(element.querySelector('a')).toBeNull();
    expect(element.querySelector('button')?.dataset['deeplink']).toBe('chatkit-link://task?id=1');
  });
});
