export function optionPaths(): ReadonlySet<string>;
export function widgetProperties(): Readonly<Record<string, readonly string[]>>;
export function tagType(files: readonly string[]): string;
