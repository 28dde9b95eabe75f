/** Constructed style sheets, one of each for all elements of the page: allowed under `style-src 'none'`. */

const sheets = new Map<string, CSSStyleSheet>();

/** Gives a shadow root a style sheet, once. */
export function adopt(root: ShadowRoot, css: string): void {
  let sheet = sheets.get(css);
  if (sheet === undefined) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    sheets.set(css, sheet);
  }
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
}

/** The same for the shadow root that a node is in: the sheets of parts that are loaded later. */
export function adoptAround(node: Node, css: string): void {
  const root = node.getRootNode();
  if (root instanceof ShadowRoot) adopt(root, css);
}
