export interface Row {
  readonly group: string;
  readonly id: string;
  readonly name: string;
}
export const ROWS: readonly Row[];
export const WIDGETS: readonly { readonly type: string; readonly props: readonly string[] }[];
export function naming(id: string): readonly { readonly title: string; readonly body: string }[];
export function namedIds(): readonly string[];
export function triedProperties(type: string): readonly string[];
