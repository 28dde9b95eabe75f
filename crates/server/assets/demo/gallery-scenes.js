// What the gallery shows beside the widgets: each state that a conversation can be in. A scene is a thread that is
// loaded (`items`, `status`), or an answer as it comes (`play`); `options` and `then` are for the rest.

const at = '2026-11-29T10:00:00Z';
let counter = 0;
const base = (type) => ({ type, id: `${type}_${(counter += 1)}`, thread_id: 'gallery', created_at: at });
const asked = (text, more = {}) => ({ ...base('user_message'), content: [{ type: 'input_text', text }], attachments: [], quoted_text: null, inference_options: {}, ...more });
const said = (text, annotations = []) => ({ ...base('assistant_message'), content: [{ type: 'output_text', text, annotations }] });
const source = (index, title, url) => ({ type: 'annotation', index, source: { type: 'url', title, url, attribution: new URL(url).hostname, description: 'What the page is about, in a sentence.' } });
const workflow = (tasks, more = {}) => ({ ...base('workflow'), workflow: { type: 'custom', tasks, ...more } });

const MARKDOWN = `## Words

**Bold**, *italic*, \`code\`, a [link](https://example.com) and a formula, \\(e^{i\\pi} + 1 = 0\\).

1. First
2. Second
   - nested

- [x] done
- [ ] open

| Plan | Price |
|------|------:|
| Free | 0 € |
| Team | 12 € |

> A quotation.

\`\`\`rust
fn greet(name: &str) -> String {
    format!("Hello, {name}!")
}
\`\`\`

\\[ \\sum_{k=1}^{n} k = \\frac{n(n+1)}{2} \\]
`;

const QUESTIONS = {
  ...base('structured_input'), status: 'pending',
  inputs: [
    { type: 'multiple_choice', id: 'when', question: 'When do you want to travel?', options: [{ value: 'In spring' }, { value: 'In summer' }], multiple: false },
    { type: 'freeform', id: 'why', question: 'Is there anything else?', description: 'One sentence is enough.' },
  ],
};

/** An answer word by word. */
async function write({ send, wait }, text, { pause = 60, whole = true } = {}) {
  const item = { ...base('assistant_message'), content: [] };
  send({ type: 'thread.item.added', item });
  send({ type: 'thread.item.updated', item_id: item.id, update: { type: 'assistant_message.content_part.added', content_index: 0, content: { type: 'output_text', text: '', annotations: [] } } });
  for (const delta of text.match(/\S+\s*/g) ?? []) {
    send({ type: 'thread.item.updated', item_id: item.id, update: { type: 'assistant_message.content_part.text_delta', content_index: 0, delta } });
    await wait(pause);
  }
  if (whole) send({ type: 'thread.item.done', item: { ...item, content: [{ type: 'output_text', text, annotations: [] }] } });
}

/** Whether the page of “A login that has ended” or “Files that were refused” has signed somebody in. */
let isIn = false;

const WITH_FILES = { composer: { attachments: { enabled: true } } };
const file = (name, type) => new File(['A file of the gallery.'], name, { type });

export const SCENES = [
  ['Before', [
    { name: 'Start screen', options: { startScreen: { greeting: 'What can I help with?', prompts: [{ label: 'Plan a trip', prompt: 'x', icon: 'map-pin' }, { label: 'Write a mail', prompt: 'x', icon: 'mail' }, { label: 'Explain something', prompt: 'x', icon: 'lightbulb' }] } } },
    { name: 'Composer with everything', options: { composer: { attachments: { enabled: true }, models: [{ id: 'a', label: 'Fast', default: true }, { id: 'b', label: 'Careful' }], tools: [{ id: 's', label: 'Search the web', icon: 'globe' }, { id: 'i', label: 'Make a picture', icon: 'images' }], dictation: { enabled: true } }, disclaimer: { text: 'Answers can be wrong. [Read more](https://example.com).' } } },
    { name: 'Loading a conversation', never: true },
    { name: 'A page that may not come in', refusal: true },
  ]],
  ['Answers', [
    { name: 'Text with everything', items: [asked('Show me everything'), said(MARKDOWN)] },
    { name: 'Sources', items: [asked('What do plans cost?'), said('The free plan costs nothing, and the team plan costs 12 € a month.', [source(31, 'Prices', 'https://example.com/prices'), source(66, 'Plans for teams', 'https://example.org/teams')])] },
    { name: 'Streaming', play: async (stage) => write(stage, 'This answer comes word by word, and '.repeat(120), { pause: 90 }) },
    { name: 'Thinking', play: async ({ send, wait }) => { send({ type: 'progress_update', icon: 'search', text: 'Looking through your orders' }); await wait(120_000); } },
    { name: 'Steps', items: [asked('Compare the plans'), workflow([{ type: 'web_search', status_indicator: 'complete', title: 'Searched for prices', queries: ['plan prices', 'team plan'], sources: [{ type: 'url', title: 'Prices', url: 'https://example.com/prices' }] }, { type: 'thought', status_indicator: 'complete', title: 'Weighed them', content: 'The team plan is cheaper from three people on.' }, { type: 'file', status_indicator: 'complete', title: 'Read two files', sources: [{ type: 'file', title: 'prices.pdf', filename: 'prices.pdf' }] }], { expanded: true, summary: { title: 'Compared the plans', icon: 'search' } }), said('Take the team plan.')] },
    { name: 'Reasoning', items: [asked('Why is the sky blue?'), workflow([{ type: 'thought', title: 'Light', content: 'Short waves scatter more.' }], { type: 'reasoning', summary: { duration: 12 } }), said('Because short waves scatter more than long ones.')] },
    { name: 'A picture in the making', play: async ({ send, wait }) => { const item = { ...base('generated_image'), image: null }; send({ type: 'thread.item.added', item }); for (let part = 1; part < 60; part += 1) { await wait(1000); send({ type: 'thread.item.updated', item_id: item.id, update: { type: 'generated_image.updated', image: { id: 'i', url: new URL('icon.svg', import.meta.url).href }, progress: part / 60 } }); } } },
    { name: 'A picture', items: [asked('Draw the door'), { ...base('generated_image'), image: { id: 'i', url: new URL('icon.svg', import.meta.url).href } }] },
    { name: 'An unknown item', items: [asked('Something new'), { ...base('hologram') }, said('The part before this sentence is not known to this version.')] },
  ]],
  ['People', [
    { name: 'A long message', items: [asked('Line after line of what somebody pasted.\n'.repeat(40)), said('That was long.')] },
    { name: 'Files and a quotation', items: [asked('What does this say?', { quoted_text: 'The team plan costs 12 € a month.', attachments: [{ type: 'file', id: 'f1', name: 'contract-2026.pdf', mime_type: 'application/pdf' }, { type: 'image', id: 'f2', name: 'door.svg', mime_type: 'image/svg+xml', preview_url: new URL('icon.svg', import.meta.url).href }] }), said('It says what it costs.')] },
    { name: 'Files before they are sent', options: WITH_FILES, then: (chat) => chat.setComposerValue({ text: 'What do these say?', files: [file('contract-2026.pdf', 'application/pdf'), file('the minutes of the meeting in Lisbon, revised.txt', 'text/plain')] }) },
    { name: 'Right to left', items: [asked('ما هي الأسعار؟'), said('الخطة المجانية بلا تكلفة، و**خطة الفريق** 12 يورو.')] },
    { name: 'Questions instead of the text field', items: [asked('Plan a trip'), QUESTIONS] },
    { name: 'Answered questions', items: [asked('Plan a trip'), { ...QUESTIONS, id: 'answered', status: 'answered', inputs: [{ ...QUESTIONS.inputs[0], answer: { values: ['In spring'] } }, { ...QUESTIONS.inputs[1], answer: { skipped: true } }] }, said('In spring, then.')] },
  ]],
  ['When it does not go well', [
    { name: 'A notice', play: async (stage) => { stage.send({ type: 'notice', level: 'warning', title: 'Almost used up', message: '90 of **100** messages are used. [Upgrade](https://example.com)' }); await write(stage, 'Here you are.'); } },
    { name: 'An answer that failed', play: async (stage) => { await write(stage, 'This begins well, but', { whole: false }); stage.send({ type: 'error', code: 'custom', message: 'The model is out of credit. Ask the owner of this site.', allow_retry: true }); } },
    { name: 'The server cannot be reached', play: async () => { throw new TypeError('Failed to fetch'); } },
    { name: 'A login that has ended', signIn: () => { isIn = true; }, play: async (stage) => { if (!isIn) throw new Error('Your session has ended.'); isIn = false; await write(stage, 'Welcome back.'); } },
    { name: 'Files that were refused', options: WITH_FILES, signIn: () => { isIn = true; }, refuse: (name) => (name === 'film.mov' ? { status: 413, message: 'A file may have 10 MB here.' } : isIn ? undefined : { status: 401, message: 'Your session has ended.' }), then: (chat) => { isIn = false; return chat.setComposerValue({ files: [file('contract-2026.pdf', 'application/pdf'), file('film.mov', 'video/quicktime')] }); } },
    { name: 'A conversation that is gone', gone: true },
    { name: 'Locked', status: { type: 'locked', reason: 'Waiting for approval' }, items: [asked('May I?'), said('Somebody has to allow it first.')] },
    { name: 'Closed', status: { type: 'closed', reason: 'This case is solved.' }, items: [asked('Thanks'), said('You are welcome.')] },
  ]],
  ['History', [
    { name: 'Conversations', then: (chat) => chat.showHistory() },
    { name: 'None yet', threads: [], then: (chat) => chat.showHistory() },
    { name: 'Cannot be loaded', threads: null, then: (chat) => chat.showHistory() },
  ]],
];

/** What the list of conversations holds unless a scene says otherwise. */
export const THREADS = ['A trip to Lisbon', 'Which plan is right?', 'A mail to the landlord', 'Reading list', 'خطة السفر'].map((title, index) => ({
  id: `thr_${index}`, title, created_at: new Date(Date.now() - [0, 1, 26, 80, 900][index] * 3_600_000).toISOString(), status: { type: 'active' },
}));

const text = (value, more = {}) => ({ type: 'Text', value, ...more });
const cell = (value, more = {}) => ({ type: 'Table.Cell', children: [text(value, { size: 'sm' })], ...more });
const row = (cells, more = {}) => ({ type: 'Table.Row', children: cells, ...more });
const action = (type) => ({ type, handler: 'client', loadingBehavior: 'auto' });

/** Widgets as people meet them. */
const EXAMPLES = [
  { name: 'An order', widget: { type: 'Card', status: { text: 'Shop', icon: 'cube' }, confirm: { label: 'Confirm', action: action('confirm') }, cancel: { label: 'Cancel', action: action('cancel') }, children: [
    { type: 'Row', children: [{ type: 'Icon', name: 'suitcase', size: 'lg', color: 'secondary' }, { type: 'Col', flex: 1, children: [{ type: 'Title', value: 'Order A-1042', size: 'sm' }, { type: 'Caption', value: 'Placed on 12 November' }] }, { type: 'Badge', label: 'On its way', color: 'success', pill: true }] },
    { type: 'Divider', flush: true },
    { type: 'Table', children: [row([cell('Item'), cell('Pieces', { align: 'end' }), cell('Price', { align: 'end' })], { header: true }), row([cell('Rain jacket'), cell('1', { align: 'end' }), cell('89 €', { align: 'end' })]), row([cell('Walking socks'), cell('3', { align: 'end' }), cell('27 €', { align: 'end' })])] },
    { type: 'Markdown', value: 'Arrives on **Thursday**.' },
  ] } },
  { name: 'A form', widget: { type: 'Card', asForm: true, confirm: { label: 'Send', action: action('book') }, children: [
    { type: 'Title', value: 'Book a trip', size: 'sm' },
    { type: 'Col', gap: 1, children: [{ type: 'Label', value: 'Mail', fieldName: 'mail' }, { type: 'Input', name: 'mail', inputType: 'email', required: true, placeholder: 'you@example.com' }] },
    { type: 'Row', wrap: 'wrap', children: [{ type: 'Select', name: 'city', placeholder: 'City', clearable: true, options: [{ value: 'lis', label: 'Lisbon' }, { value: 'opo', label: 'Porto' }] }, { type: 'DatePicker', name: 'day', placeholder: 'Day', clearable: true }] },
    { type: 'RadioGroup', name: 'class', defaultValue: '2', options: [{ label: 'First class', value: '1' }, { label: 'Second class', value: '2' }] },
    { type: 'Checkbox', name: 'window', label: 'A seat at the window', defaultChecked: true },
    { type: 'Textarea', name: 'note', placeholder: 'A note', rows: 2 },
  ] } },
  { name: 'A list', widget: { type: 'ListView', limit: 3, status: { text: 'Results', icon: 'search' }, children: ['Lisbon', 'Porto', 'Faro', 'Braga'].map((city, index) => ({ type: 'ListViewItem', key: city, onClickAction: action('open'), children: [{ type: 'Icon', name: 'map-pin' }, { type: 'Col', flex: 1, children: [text(city, { weight: 'medium' }), { type: 'Caption', value: `${index + 3} trains a day` }] }, { type: 'Badge', label: `${39 + index} €` }] })) } },
  { name: 'A chart', widget: { type: 'Card', children: [{ type: 'Title', value: 'Visitors', size: 'sm' }, { type: 'Chart', xAxis: 'month', showYAxis: true, data: ['January', 'February', 'March', 'April', 'May', 'June'].map((month, index) => ({ month, desktop: 120 + 40 * index, mobile: 180 - 25 * index, goal: 150 + 12 * index })), series: [{ type: 'bar', dataKey: 'desktop', label: 'Desktop' }, { type: 'bar', dataKey: 'mobile', label: 'Mobile' }, { type: 'line', dataKey: 'goal', label: 'Goal', color: 'orange' }] }] } },
];

/** A scene for each widget, and one with all of them. The examples come first; the others have every property there is. */
export function widgetScenes(widgets) {
  const item = ({ name, widget }) => ({ ...base('widget'), widget, copy_text: name });
  return ['Widgets', [
    { name: 'Examples', items: EXAMPLES.flatMap((entry) => [asked(entry.name), item(entry)]), source: EXAMPLES.map(({ widget }) => widget) },
    ...EXAMPLES.map((entry) => ({ name: entry.name, items: [asked(entry.name), item(entry)], source: entry.widget })),
    { name: 'All components', items: widgets.flatMap((entry) => [asked(entry.name), item(entry)]) },
    ...widgets.map((entry) => ({ name: entry.name, items: [asked(entry.name), item(entry)], source: entry.widget })),
  ]];
}
