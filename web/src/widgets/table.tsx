/** Tables: real ones, which scroll in their own box where they are too wide. */
import type { JSX } from 'preact';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { useUi } from '../ui/context';
import { DirectionContext } from './scope';
import { ALIGN, inset, length, type Css } from './style';
import { Children, type ComponentProps } from './tree';
import { childrenOf, count, flag, word } from './values';

const HeaderContext = createContext(false);
/** Least widths of columns, in pixels. */
const COLUMNS: Readonly<Record<string, string>> = { xs: '48px', sm: '80px', md: '128px', lg: '192px', xl: '256px' };

export function Table({ node }: ComponentProps): JSX.Element {
  const { t } = useUi();
  const rows = childrenOf(node);
  const first = rows.findIndex((row) => !flag(row, 'header'));
  const heads = first === -1 ? rows : rows.slice(0, first);
  const body = first === -1 ? [] : rows.slice(first);
  return (
    <div class="w-table" tabIndex={0} role="region" aria-label={t('widget.table')}>
      <table>
        {heads.length > 0 && (
          <thead>
            <Children of={{ ...node, children: heads }} />
          </thead>
        )}
        <tbody>
          <Children of={{ ...node, children: body }} />
        </tbody>
      </table>
    </div>
  );
}

export function TableRow({ node }: ComponentProps): JSX.Element {
  return (
    <HeaderContext.Provider value={flag(node, 'header')}>
      <tr>
        <Children of={node} />
      </tr>
    </HeaderContext.Provider>
  );
}

const MAX_SPAN = 100;

export function TableCell({ node }: ComponentProps): JSX.Element {
  const isHeader = useContext(HeaderContext);
  const align = word(node, 'align', ['start', 'center', 'end']);
  const upright = word(node, 'vAlign', ['start', 'center', 'end']);
  const size = word(node, 'colSize', ['xs', 'sm', 'md', 'lg', 'xl']);
  const width = length(node['width']);
  const style: Css = { ...inset('padding', node['padding']) };
  if (size !== null) style['minWidth'] = COLUMNS[size] ?? '';
  if (width !== null) style['width'] = width;
  if (align !== null) style['textAlign'] = align;
  if (upright !== null) style['verticalAlign'] = { start: 'top', center: 'middle', end: 'bottom' }[upright];
  const span = { colSpan: Math.min(count(node, 'colSpan') ?? 1, MAX_SPAN), rowSpan: Math.min(count(node, 'rowSpan') ?? 1, MAX_SPAN) };
  const inner = (
    <DirectionContext.Provider value="col">
      <div class="w-cell" style={align === null ? {} : { alignItems: ALIGN[align] ?? '' }}>
        <Children of={node} />
      </div>
    </DirectionContext.Provider>
  );
  return isHeader ? (
    <th scope="col" {...span} style={style}>
      {inner}
    </th>
  ) : (
    <td {...span} style={style}>
      {inner}
    </td>
  );
}
