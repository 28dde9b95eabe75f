// Every property of every widget component and what it changes: read in the browser from the drawn widget.
// `read` is source of an expression over `w`, the drawn widget; each value has the reading it must lead to,
// and at least one of them must differ from the reading without the property. `distinct`: the values only
// have to differ from one another.
import { action, chart, text } from './widgets.scenes.mjs';

export const DOT = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

const css = (selector, name) => `getComputedStyle(w.querySelector(${JSON.stringify(selector)})).${name}`;
const attribute = (selector, name) => `w.querySelector(${JSON.stringify(selector)})?.getAttribute(${JSON.stringify(name)}) ?? null`;
const of = (selector, expression) => `w.querySelector(${JSON.stringify(selector)})?.${expression}`;
const words = (selector) => `w.querySelector(${JSON.stringify(selector)})?.innerText ?? ''`;
const box = (selector, side) => `w.querySelector(${JSON.stringify(selector)}).getBoundingClientRect().${side}`;
const count = (selector) => `w.querySelectorAll(${JSON.stringify(selector)}).length`;
const each = (table) => Object.entries(table);
/** The same reading for the value itself. */
const same = (...values) => values.map((value) => [value, value]);

const CHILD = { children: { read: words('*'), values: [[[text('a child')], 'a child']] } };
const HEIGHTS = { '3xs': '22px', '2xs': '24px', xs: '26px', sm: '28px', md: '32px', lg: '36px', xl: '40px', '2xl': '44px', '3xl': '48px' };
const GUTTERS = { '2xs': '6px', xs: '8px', sm: '10px', md: '12px', lg: '14px', xl: '16px' };
const ALIGN = { start: 'flex-start', center: 'center', end: 'flex-end', baseline: 'baseline', stretch: 'stretch' };
const JUSTIFY = { start: 'flex-start', center: 'center', end: 'flex-end', between: 'space-between', around: 'space-around', evenly: 'space-evenly', stretch: 'stretch' };
const RADII = { '2xs': '2px', xs: '4px', sm: '6px', md: '8px', lg: '10px', xl: '12px', '2xl': '16px', '3xl': '20px', '4xl': '24px', full: '9999px', '100%': '100%', none: '0px' };
const BY_SCHEME = { light: 'rgb(1, 2, 3)', dark: 'rgb(4, 5, 6)' };

const gap = (selector) => ({ read: css(selector, 'gap'), values: [[5, '20px'], ['7px', '7px']] });
const padding = (selector) => ({
  read: `['Top', 'Right', 'Bottom', 'Left'].map((edge) => getComputedStyle(w.querySelector(${JSON.stringify(selector)}))['padding' + edge]).join(' ')`,
  values: [[5, '20px 20px 20px 20px'], ['7px', '7px 7px 7px 7px'], [{ x: 2, y: 1, left: 5 }, '4px 8px 4px 20px'], [{ top: 1, right: 2, bottom: 3, left: 4 }, '4px 8px 12px 16px']],
});
const border = (selector) => ({
  read: `['borderTop', 'borderLeft'].map((edge) => ['Width', 'Style'].map((part) => getComputedStyle(w.querySelector(${JSON.stringify(selector)}))[edge + part]).join(' ')).join(', ')`,
  values: [[3, '3px solid, 3px solid'], ...['solid', 'dashed', 'dotted', 'double', 'groove', 'ridge', 'inset', 'outset'].map((style) => [{ size: 4, style, color: 'red-500' }, `4px ${style}, 4px ${style}`])],
});
const background = (selector) => ({ read: css(selector, 'backgroundColor'), values: [['rgb(9, 8, 7)', 'rgb(9, 8, 7)'], [BY_SCHEME, 'rgb(1, 2, 3)']] });
const color = (selector) => ({ read: css(selector, 'color'), values: [['rgb(9, 8, 7)', 'rgb(9, 8, 7)'], [BY_SCHEME, 'rgb(1, 2, 3)']] });
const size = (selector, name) => ({ read: css(selector, name), values: [[170, '170px'], ['180px', '180px']] });
/** What every block has. */
const block = (selector) => ({
  height: size(selector, 'height'), width: size(selector, 'width'), minHeight: size(selector, 'minHeight'), minWidth: size(selector, 'minWidth'),
  maxHeight: size(selector, 'maxHeight'), maxWidth: size(selector, 'maxWidth'),
  size: { read: `${css(selector, 'width')} + ' ' + ${css(selector, 'height')}`, values: [[170, '170px 170px'], ['180px', '180px 180px']] },
  minSize: { read: `${css(selector, 'minWidth')} + ' ' + ${css(selector, 'minHeight')}`, values: [[170, '170px 170px']] },
  maxSize: { read: `${css(selector, 'maxWidth')} + ' ' + ${css(selector, 'maxHeight')}`, values: [[170, '170px 170px']] },
  aspectRatio: { read: css(selector, 'aspectRatio'), values: [[2, '2 / 1'], ['16 / 9', '16 / 9']] },
  radius: { read: css(selector, 'borderTopLeftRadius'), values: each(RADII) },
  margin: { read: `['Top', 'Right', 'Bottom', 'Left'].map((edge) => getComputedStyle(w.querySelector(${JSON.stringify(selector)}))['margin' + edge]).join(' ')`, values: [[2, '8px 8px 8px 8px'], [{ top: 1, left: 3 }, '4px 0px 0px 12px']] },
});
const flow = (selector) => ({
  align: { read: css(selector, 'alignItems'), values: each(ALIGN) }, justify: { read: css(selector, 'justifyContent'), values: each(JUSTIFY) },
  wrap: { read: css(selector, 'flexWrap'), values: same('nowrap', 'wrap', 'wrap-reverse') },
  flex: { read: css(selector, 'flex'), values: [[2, '2 1 0%'], ['1 0 20px', '1 0 20px']] },
  gap: gap(selector), padding: padding(selector), border: border(selector), background: background(selector), ...block(selector),
});
const direction = (selector, more = {}) => ({ read: css(selector, 'flexDirection'), values: [['row', 'row'], ['col', 'column'], ...Object.entries(more)] });
const says = (selector) => ({
  value: { read: words(selector), values: [['Other words', 'Other words']] },
  color: color(selector),
  weight: { read: css(selector, 'fontWeight'), values: each({ normal: '400', medium: '500', semibold: '600', bold: '700' }) },
  textAlign: { read: css(selector, 'textAlign'), values: same('start', 'center', 'end') },
  truncate: { read: css(selector, 'textOverflow'), values: [[true, 'ellipsis']] },
  maxLines: { read: css(selector, 'webkitLineClamp'), values: [[2, '2'], [3, '3']] },
});
const theme = (selector) => ({ read: css(selector, 'colorScheme'), values: [['dark', 'dark'], ['light', 'light']] });
const status = { read: `[w.querySelector('.w-status')?.innerText, w.querySelectorAll('.w-status svg').length, w.querySelector('.w-favicon')?.className].join()`, values: [[{ text: 'Shop' }, 'Shop,0,'], [{ text: 'Shop', icon: 'cube' }, 'Shop,1,'], [{ text: 'Shop', favicon: DOT }, 'Shop,0,w-favicon'], [{ text: 'Shop', favicon: DOT, frame: true }, 'Shop,0,w-favicon framed']] };
const flag = (selector, name) => ({ read: of(selector, name), values: [[true, true]] });
/** A field reads its name where a form does. */
const field = (selector) => ({
  name: { read: attribute(selector, 'name'), values: [['other', 'other']] },
  defaultValue: { read: of(selector, 'value'), values: [['given', 'given']] },
  required: flag(selector, 'required'),
  pattern: { read: of(selector, 'checkValidity()'), with: { defaultValue: '1' }, values: [['[a-z]+', false], ['[0-9]+', true]] },
  placeholder: { read: of(selector, 'placeholder'), values: [['Write here', 'Write here']] },
  allowAutofillExtensions: { read: attribute(selector, 'data-1p-ignore'), values: [[true, null], [false, '']] },
  autoSelect: { read: `(() => { const field = w.querySelector('${selector}'); field.focus(); const chosen = field.value.slice(field.selectionStart, field.selectionEnd); field.blur(); return chosen; })()`, with: { defaultValue: 'all of it' }, values: [[true, 'all of it']] },
  disabled: flag(selector, 'disabled'),
  variant: { read: css(selector, 'backgroundColor'), values: ['soft', 'outline'], distinct: true },
  size: { read: css(selector, 'minHeight'), values: each(HEIGHTS) },
  gutterSize: { read: css(selector, 'paddingLeft'), values: each(GUTTERS) },
});
const trigger = {
  placeholder: { read: words('.w-value'), values: [['Pick one', 'Pick one']] },
  variant: { read: `${css('.w-trigger', 'backgroundColor')} + ${css('.w-trigger', 'borderTopColor')}`, values: ['solid', 'soft', 'outline', 'ghost'], distinct: true },
  size: { read: css('.w-trigger', 'minHeight'), values: each(HEIGHTS) },
  pill: { read: css('.w-trigger', 'borderTopLeftRadius'), values: [[true, '999px'], [false, '8px']] },
  block: { read: `${box('.w-trigger', 'width')} === w.getBoundingClientRect().width`, values: [[true, true]] },
  disabled: { read: `[w.querySelector('.w-trigger').disabled, w.querySelector('input').disabled].join()`, values: [[true, 'true,true']] },
  name: { read: attribute('input[type=hidden]', 'name'), values: [['other', 'other']] },
};

const boxes = (selector) => ({ base: { children: [text('a')] }, props: { ...CHILD, ...flow(selector) } });

/** Where a component stands, so that it is drawn as in a real widget. */
const inTable = (cells) => ({ type: 'Table', children: [{ type: 'Table.Row', children: cells }] });
export const WRAP = {
  Basic: (node) => node, Card: (node) => node, ListView: (node) => node,
  ListViewItem: (node) => ({ type: 'ListView', children: [node] }),
  'Table.Row': (node) => ({ type: 'Basic', children: [{ type: 'Table', children: [node] }] }),
  'Table.Cell': (node) => ({ type: 'Basic', children: [inTable([node])] }),
  Divider: (node) => ({ type: 'Card', size: 'full', children: [text('above'), node] }),
  Image: (node) => ({ type: 'Card', size: 'full', children: [node] }),
  // In a row, where nothing is stretched by itself.
  Button: (node) => ({ type: 'Basic', children: [{ type: 'Row', children: [node] }] }),
  Select: (node) => ({ type: 'Basic', children: [{ type: 'Row', children: [node] }] }),
  DatePicker: (node) => ({ type: 'Basic', children: [{ type: 'Row', children: [node] }] }),
  Label: (node) => ({ type: 'Basic', children: [node, { type: 'Input', name: 'mail' }, { type: 'Input', name: 'phone' }] }),
};

/** By component: what it has at least, and each property that can be read. The rest is done by hand (`widget-hands.mjs`). */
export const PROPS = {
  Basic: { base: { children: [text('a')] }, props: { ...CHILD, theme: theme('.w-basic'), direction: direction('.w-basic'), gap: gap('.w-basic'), padding: padding('.w-basic'), align: { read: css('.w-basic', 'alignItems'), values: each(ALIGN) }, justify: { read: css('.w-basic', 'justifyContent'), values: each(JUSTIFY) } } },
  Card: {
    base: { children: [text('a')] },
    props: {
      ...CHILD,
      asForm: { read: count('form'), values: [[true, 1]] },
      background: background('.w-card'), border: border('.w-card'), padding: padding('.w-card-body'), status, theme: theme('.w-card'),
      size: { read: css('.w-card', 'maxWidth'), values: each({ sm: '360px', md: '440px', lg: '560px', full: 'none' }) },
      collapsed: { read: of('.w-card-body', 'hidden'), values: [[true, true]] },
      confirm: { read: words('.w-card-foot .primary'), values: [[{ label: 'Yes', action: action('x') }, 'Yes']] },
      cancel: { read: words('.w-card-foot .secondary'), values: [[{ label: 'No', action: action('x') }, 'No']] },
    },
  },
  ListView: {
    base: { children: Array.from({ length: 7 }, (_, index) => ({ type: 'ListViewItem', children: [text(`row ${index}`)] })) },
    props: { children: { read: count('.w-item'), values: [[[{ type: 'ListViewItem', children: [] }], 1]] }, limit: { read: count('.w-item'), values: [[3, 3], ['auto', 5]] }, status, theme: theme('.w-list') },
  },
  ListViewItem: {
    base: { children: [text('a')] },
    props: { ...CHILD, gap: gap('.w-item'), align: { read: css('.w-item', 'alignItems'), values: each(ALIGN) } },
  },
  Box: { ...boxes('.w-box'), props: { ...boxes('.w-box').props, direction: direction('.w-box', { column: 'column' }) } },
  Row: boxes('.w-box'),
  Col: boxes('.w-box'),
  Form: { ...boxes('form.w-box'), props: { ...boxes('form.w-box').props, direction: direction('form.w-box') } },
  Spacer: { base: {}, props: { minSize: { read: css('.w-spacer', 'minHeight'), values: [[40, '40px'], ['12px', '12px']] } } },
  Divider: {
    base: {},
    props: {
      color: { read: css('.w-divider', 'backgroundColor'), values: [['rgb(9, 8, 7)', 'rgb(9, 8, 7)'], [BY_SCHEME, 'rgb(1, 2, 3)']] }, size: { read: css('.w-divider', 'height'), values: [[4, '4px'], ['6px', '6px']] },
      spacing: { read: css('.w-divider', 'marginTop'), values: [[2, '8px']] }, flush: { read: `${box('.w-divider', 'width')} > ${box('.w-text', 'width')}`, values: [[true, true]] },
    },
  },
  Transition: { base: { children: text('a') }, props: { children: { read: words('.w-transition'), values: [[text('another'), 'another'], [[text('a list of one')], 'a list of one']] } } },
  Title: { base: { value: 'T' }, props: { ...says('.w-title'), size: { read: css('.w-title', 'fontSize'), values: each({ sm: '18px', md: '20px', lg: '24px', xl: '32px', '2xl': '36px', '3xl': '48px', '4xl': '60px', '5xl': '72px', xs: '16px' }) } } },
  Caption: { base: { value: 'C' }, props: { ...says('.w-caption'), size: { read: css('.w-caption', 'fontSize'), values: each({ sm: '12px', md: '13px', lg: '14px' }) } } },
  Text: {
    base: { value: 'T' },
    props: {
      ...says('.w-text'), italic: { read: css('.w-text', 'fontStyle'), values: [[true, 'italic']] }, lineThrough: { read: css('.w-text', 'textDecorationLine'), values: [[true, 'line-through']] },
      width: size('.w-text', 'width'), minLines: { read: `Math.round(parseFloat(${css('.w-text', 'minHeight')}) / parseFloat(${css('.w-text', 'lineHeight')}))`, values: [[3, 3]] },
      size: { read: css('.w-text', 'fontSize'), values: each({ xs: '12px', sm: '14px', md: '16px', lg: '18px', xl: '20px' }) },
      editable: {
        read: `(() => { const field = w.querySelector('textarea'); return field === null ? '' : [field.name, field.value, field.placeholder, field.required, field.autocomplete, field.checkValidity(), field.hasAttribute('data-1p-ignore')].join(); })()`,
        values: [[false, ''], [{ name: 'n' }, 'n,T,,false,off,true,true'], [{ name: 'n', placeholder: 'p', required: true, autoComplete: 'name', pattern: '[0-9]+', allowAutofillExtensions: true }, 'n,T,p,true,name,false,false']],
      },
    },
  },
  Markdown: {
    base: { value: 'a **b' },
    props: { value: { read: words('.w-markdown strong'), values: [['a **b**', 'b']] }, streaming: { read: words('.w-markdown strong'), values: [[true, 'b'], [false, '']] } },
  },
  Badge: {
    base: { label: 'B' },
    props: {
      label: { read: words('.w-badge'), values: [['Other', 'Other']] }, color: { read: css('.w-badge', 'color'), values: ['secondary', 'success', 'danger', 'warning', 'info', 'discovery'], distinct: true },
      variant: { read: `${css('.w-badge', 'backgroundColor')} + ${css('.w-badge', 'boxShadow')}`, values: ['solid', 'soft', 'outline'], distinct: true }, size: { read: css('.w-badge', 'fontSize'), values: each({ sm: '12px', md: '13px', lg: '14px' }) },
      pill: { read: css('.w-badge', 'borderTopLeftRadius'), values: [[true, '999px'], [false, '6px']] },
    },
  },
  Icon: {
    base: { name: 'star' },
    props: { name: { read: of('.w-icon svg', 'innerHTML'), values: ['star', 'mail', 'globe', 'no-such-icon'], distinct: true }, color: color('.w-icon'), size: { read: attribute('.w-icon svg', 'width'), values: each({ xs: '14', sm: '16', md: '18', lg: '20', xl: '22', '2xl': '24', '3xl': '30' }) } },
  },
  Image: {
    base: { src: DOT, size: 60 },
    props: {
      ...block('.w-image'),
      src: { read: of('img.w-image', 'src'), values: [[`${DOT}#2`, `${DOT}#2`]] }, alt: { read: of('img.w-image', 'alt'), values: [['A dot', 'A dot']] }, frame: { read: css('.w-image', 'borderTopWidth'), values: [[true, '1px']] },
      fit: { read: css('.w-image', 'objectFit'), values: same('cover', 'contain', 'fill', 'scale-down', 'none') },
      position: { read: css('.w-image', 'objectPosition'), values: each({ 'top left': '0% 0%', top: '50% 0%', 'top right': '100% 0%', left: '0% 50%', center: '50% 50%', right: '100% 50%', 'bottom left': '0% 100%', bottom: '50% 100%', 'bottom right': '100% 100%' }) },
      flush: { read: `${css('.w-image', 'marginLeft')} + ' ' + ${css('.w-image', 'borderTopLeftRadius')}`, values: [[true, '-16px 0px']] },
    },
  },
  Button: {
    base: { label: 'B' },
    props: {
      label: { read: words('.w-button'), values: [['Other', 'Other']] },
      iconStart: { read: of('.w-button', 'firstElementChild.localName'), values: [['star', 'svg']] }, iconEnd: { read: of('.w-button', 'lastElementChild.localName'), values: [['star', 'svg']] },
      style: { read: css('.w-button', 'backgroundColor'), values: ['primary', 'secondary'], distinct: true }, iconSize: { read: attribute('svg', 'width'), with: { iconStart: 'star' }, values: each({ sm: '16', md: '18', lg: '20', xl: '22', '2xl': '24' }) },
      color: { read: `${css('.w-button', 'backgroundColor')} + ${css('.w-button', 'color')}`, values: ['primary', 'secondary', 'info', 'discovery', 'success', 'caution', 'warning', 'danger'], distinct: true },
      variant: { read: `${css('.w-button', 'backgroundColor')} + ${css('.w-button', 'boxShadow')}`, with: { color: 'info' }, values: ['solid', 'soft', 'outline', 'ghost'], distinct: true },
      size: { read: css('.w-button', 'minHeight'), values: each(HEIGHTS) }, pill: { read: css('.w-button', 'borderTopLeftRadius'), values: [[true, '999px'], [false, '8px']] },
      uniform: { read: `${box('.w-button', 'width')} === ${box('.w-button', 'height')}`, values: [[true, true]] }, block: { read: `${box('.w-button', 'width')} === w.getBoundingClientRect().width`, values: [[true, true]] }, disabled: flag('.w-button', 'disabled'),
    },
  },
  Table: { base: { children: [] }, props: { children: { read: count('tr'), values: [[[{ type: 'Table.Row', children: [] }, { type: 'Table.Row', children: [] }], 2]] } } },
  'Table.Row': {
    base: { children: [{ type: 'Table.Cell', children: [text('a')] }] },
    props: { children: { read: count('td'), values: [[[{ type: 'Table.Cell', children: [] }, { type: 'Table.Cell', children: [] }], 2]] }, header: { read: `[...w.querySelectorAll('th')].map((cell) => cell.scope).join()`, values: [[true, 'col']] } },
  },
  'Table.Cell': {
    base: { children: [text('a')] },
    props: {
      ...CHILD, width: { read: of('td', 'style.width'), values: [[70, '70px'], ['50%', '50%']] }, padding: { read: css('td', 'paddingTop'), values: [[{ y: 5 }, '20px']] },
      colSpan: { read: of('td', 'colSpan'), values: [[2, 2]] }, rowSpan: { read: of('td', 'rowSpan'), values: [[2, 2]] },
      align: { read: css('td', 'textAlign'), values: same('start', 'center', 'end') }, vAlign: { read: css('td', 'verticalAlign'), values: each({ start: 'top', center: 'middle', end: 'bottom' }) },
      colSize: { read: css('td', 'minWidth'), values: ['xs', 'sm', 'md', 'lg', 'xl'], distinct: true },
    },
  },
  Input: {
    base: { name: 'n' },
    props: { ...field('input'), inputType: { read: of('input', 'type'), values: same('number', 'email', 'text', 'password', 'tel', 'url') }, pill: { read: css('input', 'borderTopLeftRadius'), values: [[true, '999px'], [false, '8px']] } },
  },
  Textarea: {
    base: { name: 'n' },
    props: {
      ...field('textarea'), rows: { read: of('textarea', 'rows'), values: [[5, 5]] }, autoResize: { read: css('textarea', 'fieldSizing'), values: [[true, 'content']] },
      maxRows: { read: `Math.floor(parseFloat(${css('textarea', 'maxHeight')}) / parseFloat(${css('textarea', 'lineHeight')}))`, with: { autoResize: true, rows: 1 }, values: [[3, 3], [6, 6]] },
    },
  },
  Select: { base: { name: 'n', options: [{ value: 'a', label: 'First' }, { value: 'b', label: 'Second' }] }, props: { ...trigger, defaultValue: { read: words('.w-value'), values: [['b', 'Second']] }, clearable: { read: count('.w-clear'), with: { defaultValue: 'b' }, values: [[true, 1]] } } },
  DatePicker: { base: { name: 'n' }, props: { ...trigger, defaultValue: { read: `w.querySelector('input').value + ' ' + w.querySelector('.w-value').innerText`, values: [['2026-12-20T10:00:00', '2026-12-20 December 20, 2026']] }, clearable: { read: count('.w-clear'), with: { defaultValue: '2026-12-20' }, values: [[true, 1]] } } },
  Checkbox: {
    base: { name: 'n' },
    props: { name: { read: attribute('input', 'name'), values: [['other', 'other']] }, label: { read: words('label'), values: [['Agreed', 'Agreed']] }, defaultChecked: flag('input', 'checked'), disabled: flag('input', 'disabled'), required: flag('input', 'required') },
  },
  RadioGroup: {
    base: { name: 'n', options: [{ label: 'One', value: '1' }, { label: 'Two', value: '2' }] },
    props: {
      name: { read: of('input', 'dataset.name'), values: [['other', 'other']] },
      options: { read: `[...w.querySelectorAll('label')].map((label) => label.innerText + ' ' + label.firstChild.value + ' ' + label.firstChild.disabled).join()`, values: [[[{ label: 'Three', value: '3', disabled: true }, { label: 'Four', value: '4' }], 'Three 3 true,Four 4 false']] },
      ariaLabel: { read: attribute('[role=radiogroup]', 'aria-label'), values: [['A class', 'A class']] }, defaultValue: { read: of('input:checked', 'value'), values: [['2', '2']] },
      direction: { read: css('.w-radios', 'flexDirection'), values: [['row', 'row'], ['col', 'column']] },
      disabled: { read: count('input:disabled'), values: [[true, 2]] }, required: { read: count('input:required'), values: [[true, 2]] },
    },
  },
  Label: {
    base: { value: 'L', fieldName: 'mail' },
    props: {
      value: { read: words('.w-label'), values: [['Other', 'Other']] }, fieldName: { read: of('label', 'control?.name'), values: [['mail', 'mail'], ['phone', 'phone']] },
      size: { read: css('.w-label', 'fontSize'), values: each({ xs: '12px', sm: '14px', md: '16px', lg: '18px', xl: '20px' }) }, weight: { read: css('.w-label', 'fontWeight'), values: each({ normal: '400', medium: '500', semibold: '600', bold: '700' }) },
      textAlign: { read: css('.w-label', 'textAlign'), values: same('start', 'center', 'end') }, color: color('.w-label'),
    },
  },
  Chart: {
    base: chart(),
    props: {
      ...Object.fromEntries(Object.entries(block('.w-chart')).filter(([name]) => name !== 'radius' && name !== 'margin')),
      flex: { read: css('.w-chart', 'flexGrow'), values: [[3, '3']] },
      data: { read: count('svg path[fill]:not([fill-opacity])'), values: [[[{ month: 'A', desktop: 1, mobile: 2, goal: 1 }], 2]] },
      series: { read: `[w.querySelectorAll('svg path[fill]:not([fill-opacity])').length, w.querySelectorAll('.w-line').length, w.querySelectorAll('.w-legend span').length].join()`, values: [[[{ type: 'line', dataKey: 'goal', label: 'Goal' }], '0,1,1'], [[{ type: 'bar', dataKey: 'goal', label: 'Goal' }], '6,0,1'], [[{ type: 'area', dataKey: 'goal', label: 'Goal' }], '0,1,1']] },
      xAxis: { read: `[...w.querySelectorAll('svg text')].map((tick) => tick.textContent).filter((tick) => /[A-Z]/.test(tick)).slice(0, 2).join()`, values: [['month', 'January,February'], [{ dataKey: 'month', labels: { January: 'Jan', February: 'Feb' } }, 'Jan,Feb'], [{ dataKey: 'month', hide: true }, '']] },
      showYAxis: { read: `[...w.querySelectorAll('svg text')].filter((tick) => /^\\d/.test(tick.textContent)).length > 0`, values: [[true, true], [false, false]] },
      showLegend: { read: count('.w-legend'), values: [[true, 1], [false, 0]] },
      showTooltip: { read: attribute('.w-plot', 'tabindex'), values: [[true, '0'], [false, null]] },
      barGap: { read: `Math.round(10 * (([a, b]) => b.getBoundingClientRect().left - a.getBoundingClientRect().right)([...w.querySelectorAll('svg path[fill]:not([fill-opacity])')].sort((a, b) => a.getBoundingClientRect().left - b.getBoundingClientRect().left)))`, values: [0, 2, 8], distinct: true },
      barCategoryGap: { read: `Math.round(10 * w.querySelector('svg path[fill]:not([fill-opacity])').getBoundingClientRect().width)`, values: [4, 20, 44], distinct: true },
    },
  },
};
