// Widgets for the tests: one with nearly everything, and the golden files of the protocol.
import { readdirSync, readFileSync } from 'node:fs';

const GOLDEN = new URL('../../../crates/protocol/tests/golden/widget/', import.meta.url);

/** Every golden widget by its file's name. */
export const golden = readdirSync(GOLDEN).sort().map((file) => ({ name: file.replace(/\.json$/, ''), node: JSON.parse(readFileSync(new URL(file, GOLDEN), 'utf8')) }));

export const text = (value, more = {}) => ({ type: 'Text', value, ...more });
export const action = (type, more = {}) => ({ type, handler: 'server', loadingBehavior: 'auto', streaming: true, ...more });
export const card = (children, more = {}) => ({ type: 'Card', children, ...more });

/** Sends a widget as one item, and says that the answer is over. */
export const shows = (widget, more = {}) => ({ send, base, keep }) => send({ type: 'thread.item.done', item: keep({ type: 'widget', ...base('wgt'), widget, ...more }) });

const cell = (value, more = {}) => ({ type: 'Table.Cell', children: [text(value, { size: 'sm' })], ...more });
const row = (cells, more = {}) => ({ type: 'Table.Row', children: cells, ...more });

export const ORDER = card([
  { type: 'Row', children: [{ type: 'Icon', name: 'suitcase', size: 'lg', color: 'secondary' }, { type: 'Col', flex: 1, children: [{ type: 'Title', value: 'Order A-1042', size: 'sm' }, { type: 'Caption', value: 'Placed on 12 November' }] }, { type: 'Badge', label: 'On its way', color: 'success', pill: true }] },
  { type: 'Divider', flush: true },
  { type: 'Table', children: [row([cell('Item'), cell('Pieces', { align: 'end' }), cell('Price', { align: 'end' })], { header: true }), row([cell('Rain jacket'), cell('1', { align: 'end' }), cell('89 €', { align: 'end' })]), row([cell('Walking socks'), cell('3', { align: 'end' }), cell('27 €', { align: 'end' })])] },
  { type: 'Markdown', value: 'Arrives on **Thursday**, see [the details](https://example.com/x).' },
], { status: { text: 'Shop', icon: 'cube' }, confirm: { label: 'Confirm', action: action('order.confirm') }, cancel: { label: 'Cancel', action: action('order.cancel') } });

export const FORM = card([
  { type: 'Title', value: 'Book a trip', size: 'sm' },
  { type: 'Col', gap: 1, children: [{ type: 'Label', value: 'Mail', fieldName: 'mail' }, { type: 'Input', name: 'mail', inputType: 'email', required: true, placeholder: 'you@example.com' }] },
  { type: 'Row', wrap: 'wrap', children: [{ type: 'Select', name: 'trip.city', placeholder: 'City', clearable: true, options: [{ value: 'lis', label: 'Lisbon', description: 'By train in two days' }, { value: 'opo', label: 'Porto' }, { value: 'fao', label: 'Faro', disabled: true }] }, { type: 'DatePicker', name: 'trip.day', placeholder: 'Day', min: '2026-12-02T00:00:00', max: '2027-02-10T00:00:00', defaultValue: '2026-12-20T10:00:00', clearable: true }] },
  { type: 'RadioGroup', name: 'class', defaultValue: '2', options: [{ label: 'First class', value: '1' }, { label: 'Second class', value: '2' }] },
  { type: 'Checkbox', name: 'window', label: 'A seat at the window', defaultChecked: true },
  { type: 'Textarea', name: 'note', placeholder: 'A note', rows: 2, autoResize: true },
  { type: 'Row', children: [{ type: 'Spacer' }, { type: 'Button', label: 'Later', onClickAction: action('later') }, { type: 'Button', label: 'Book', submit: true, iconEnd: 'chevron-right' }] },
], { asForm: true, confirm: { label: 'Send', action: action('book', { payload: { id: 7 } }) } });

const months = ['January', 'February', 'March', 'April', 'May', 'June'];
export const chart = (more = {}) => ({ type: 'Chart', data: months.map((month, index) => ({ month, desktop: 120 + 40 * index, mobile: 180 - 25 * index, goal: 150 + 12 * index })), series: [{ type: 'bar', dataKey: 'desktop', label: 'Desktop' }, { type: 'bar', dataKey: 'mobile', label: 'Mobile' }, { type: 'line', dataKey: 'goal', label: 'Goal', color: 'orange' }], xAxis: 'month', showYAxis: true, ...more });

export const LIST = { type: 'ListView', limit: 2, status: { text: 'Results', icon: 'search' }, children: ['Lisbon', 'Porto', 'Faro', 'Braga'].map((city, index) => ({ type: 'ListViewItem', key: city, onClickAction: action('open', { payload: { city }, handler: 'client' }), children: [{ type: 'Icon', name: 'map-pin' }, { type: 'Col', flex: 1, children: [text(city, { weight: 'medium' }), { type: 'Caption', value: `${index + 3} trains a day` }] }, { type: 'Badge', label: `${39 + index} €` }] })) };
