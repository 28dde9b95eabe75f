/** From a component's `type` to what draws it. Types that nobody knows are skipped, with a line in the console. */
import type { FunctionComponent, JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { Chart } from './chart';
import { Button, Checkbox, Input, RadioGroup, Textarea } from './controls';
import { DatePicker } from './date-picker';
import { Basic, Box, Card, Col, Divider, Form, ListView, ListViewItem, Row, Spacer, Transition } from './layout';
import { Select } from './select';
import { Table, TableCell, TableRow } from './table';
import { Badge, Caption, IconView, ImageView, Label, MarkdownText, Text, Title } from './text';
import { childrenOf, type Node } from './values';

export interface ComponentProps {
  readonly node: Node;
}

const COMPONENTS: Readonly<Record<string, FunctionComponent<ComponentProps>>> = {
  Badge, Basic, Box, Button, Caption, Card, Chart, Checkbox, Col, DatePicker, Divider, Form, Icon: IconView, Image: ImageView, Input, Label, ListView,
  ListViewItem, Markdown: MarkdownText, RadioGroup, Row, Select, Spacer, Table, 'Table.Cell': TableCell, 'Table.Row': TableRow, Text, Textarea, Title, Transition,
}; // prettier-ignore

/** The components that can be drawn. */
export const TYPES: readonly string[] = Object.keys(COMPONENTS);

/** One component. One that did not change is not looked at again. */
export function Child({ node }: ComponentProps): JSX.Element | null {
  return useMemo(() => {
    const View = Object.hasOwn(COMPONENTS, node.type) ? COMPONENTS[node.type] : undefined;
    if (View !== undefined) return <View node={node} />;
    reportUnknown(node.type);
    return null;
  }, [node]);
}

/** The components inside one, each in the place that its `key` or `id` gives it. */
export function Children({ of }: { readonly of: Node }): JSX.Element {
  const used = new Set<string>();
  return (
    <>
      {childrenOf(of).map((node, index) => {
        const name = keyOf(node);
        const key = name === null || used.has(name) ? `#${index}` : name;
        used.add(key);
        return <Child key={`${node.type} ${key}`} node={node} />;
      })}
    </>
  );
}

export function keyOf(node: Node): string | null {
  const { key, id } = node as { key?: unknown; id?: unknown };
  return typeof key === 'string' ? key : typeof id === 'string' ? id : null;
}

const reported = new Set<string>();

function reportUnknown(type: string): void {
  if (reported.has(type) || reported.size > 50) return;
  reported.add(type);
  // eslint-disable-next-line no-console -- a component that is not shown would be a riddle otherwise
  console.warn(`<openai-chatkit>: this version has no widget component “${type.slice(0, 60)}”; it is left out.`);
}
