// What axe finds, from moderate on, as sentences.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { still } from './harness.mjs';

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function seriousFindings(page, where) {
  await still(page);
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { rules: { region: { enabled: false }, 'page-has-heading-one': { enabled: false } } }));
  const serious = violations.filter(({ impact }) => impact !== 'minor');
  return serious.map(({ id, nodes }) => `${where}: ${id} ${nodes.map((node) => `${node.html.slice(0, 120)} ${node.any[0]?.message ?? ''}`).join(' | ')}`);
}
