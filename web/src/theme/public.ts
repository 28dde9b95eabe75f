/**
 * What a page's own style sheet may rely on: custom properties and parts of `<openai-chatkit>`. Nothing imports this but
 * the documentation and its test, which hold it to the styles and the interface.
 */

/** Custom properties, set on the element or above it. They go before the `theme` option. */
export const PROPERTIES: Readonly<Record<`--chatkit-${string}`, string>> = {
  '--chatkit-bg': 'Background of everything.',
  '--chatkit-raised': 'Background of what lies on it: the composer, cards, menus.',
  '--chatkit-soft': 'Background of code, notices and what the pointer is over.',
  '--chatkit-softer': 'The same, a step stronger.',
  '--chatkit-line': 'Borders and the scrollbar.',
  '--chatkit-text': 'Text.',
  '--chatkit-quiet': 'Text of less weight, and icons.',
  '--chatkit-faint': 'Hints, placeholders, headings of lists.',
  '--chatkit-accent': 'The send button and what is chosen.',
  '--chatkit-on-accent': 'Text and icons on the accent.',
  '--chatkit-link': 'Links.',
  '--chatkit-focus': 'The ring around what has the focus.',
  '--chatkit-bubble': "Background of a person's messages.",
  '--chatkit-on-bubble': 'Text of those.',
  '--chatkit-selected': 'Background of the open conversation in the history, and of a chosen tool.',
  '--chatkit-unit': 'The unit of all distances; `4px` where the density is normal.',
  '--chatkit-size': 'Size of the text; everything else follows from it.',
  '--chatkit-font': 'Typeface.',
  '--chatkit-mono': 'Typeface of code.',
  '--chatkit-radius-s': 'Corners of small things: buttons with an icon, code in a line.',
  '--chatkit-radius-m': 'Corners of code blocks, tables, rows.',
  '--chatkit-radius-l': 'Corners of cards, notices, pictures.',
  '--chatkit-radius-xl': "Corners of the composer and of a person's messages.",
  '--chatkit-radius-full': 'Corners of buttons and chips.',
  '--chatkit-round': "How much of a widget's own corners is kept, from 0 to 1.",
  '--chatkit-width': 'The widest a line of the conversation gets; `720px`.',
  '--chatkit-scrollbar': 'The handle of scrollbars.',
};

/** Parts, for `openai-chatkit::part(…)`. */
export const PARTS: Readonly<Record<string, string>> = {
  header: 'The bar at the top.',
  title: 'The title in it.',
  start: 'The view of a new conversation.',
  greeting: 'Its greeting.',
  prompt: 'A suggestion below it.',
  thread: 'The conversation, which scrolls.',
  message: "The bubble of a person's message.",
  answer: 'An answer.',
  actions: 'The row of buttons below an answer.',
  composer: 'The box that one writes in.',
  input: 'The text field in it.',
  send: 'The round button: send, and stop.',
  'ai-notice': 'The line that says that this is an AI.',
  disclaimer: "The page's own line below the composer.",
  history: 'The list of conversations: beside the conversation from 900 pixels on, over it where there is less room.',
};
