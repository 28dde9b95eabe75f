/**
 * TeX to MathML, in a file of its own that is loaded with the first formula. Temml's result is read as a
 * tree and built node by node from the lists below; its markup is never used. So a formula can neither
 * load, link nor run anything, whatever its macros do.
 */
import temml from 'temml';
import { mendedTex } from './tex';

export { default as css } from './formula.css';

interface MathNode {
  readonly type?: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly classes?: readonly string[];
  readonly style?: Readonly<Record<string, string>>;
  readonly children?: readonly MathNode[];
  readonly text?: string;
}

const MATHML = 'http://www.w3.org/1998/Math/MathML';

const ELEMENTS: ReadonlySet<string> = new Set(
  'math maction menclose merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none semantics'.split(' '),
);

const ATTRIBUTES: ReadonlySet<string> = new Set(
  'accent accentunder columnalign columnlines columnspacing columnspan depth dir display displaystyle fence form height largeop linethickness lspace mathbackground mathcolor mathsize mathvariant maxsize minsize movablelimits notation rowalign rowlines rowspacing rowspan rspace scriptlevel separator stretchy symmetric voffset width'.split(' '),
);

const STYLES: ReadonlySet<string> = new Set(
  'backgroundColor border borderBottom borderColor borderLeft borderRight borderStyle borderTop borderWidth color display fontSize fontStyle fontWeight height mathDepth mathStyle padding paddingBottom paddingLeft paddingRight paddingTop textAlign verticalAlign width'.split(' '),
);

/** `null` for what is no valid TeX. */
export function renderFormula(tex: string, display: boolean): Element | null {
  try {
    const tree = temml.__renderToMathMLTree(mendedTex(tex), {
      macros: { '\\mbox': '\\text{#1}' },
      displayMode: display,
      throwOnError: true,
      trust: false,
      // Macros that call themselves, and rules the size of a page.
      maxExpand: 500,
      maxSize: [20, 20],
    }) as MathNode;
    const node = build(tree);
    return node instanceof Element && node.localName === 'math' ? node : null;
  } catch {
    return null;
  }
}

function build(node: MathNode): Node {
  const { type, attributes = {}, classes = [], style = {}, children = [], text } = node;
  if (typeof text === 'string') return document.createTextNode(text);
  if (type === undefined) return filled(document.createDocumentFragment(), children);
  if (!ELEMENTS.has(type)) throw new Error(`there is no <${type}> in a formula`);
  const element = document.createElementNS(MATHML, type);
  for (const [name, value] of Object.entries(attributes)) if (ATTRIBUTES.has(name)) element.setAttribute(name, String(value));
  const names = classes.filter((name) => /^[\w-]+$/.test(name));
  if (names.length > 0) element.setAttribute('class', names.join(' '));
  for (const [property, value] of Object.entries(style)) if (STYLES.has(property)) Reflect.set(element.style, property, value);
  return filled(element, children);
}

function filled<T extends ParentNode & Node>(parent: T, children: readonly MathNode[]): T {
  for (const child of children) parent.appendChild(build(child));
  return parent;
}
