// The driver: which scenarios, how often, in which order; rows to a file as they come, tables at the end.
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { failures } from './bars.mjs';
import { browserVersion, checkBrowser } from './browser.mjs';
import { buildOwn, buildPeers, PEERS, versionsOf } from './build.mjs';
import { line, summary } from './report.mjs';
import { SCENARIOS, SMOKE } from './scenarios.mjs';
import { startServer } from './server.mjs';

const HELP = `Measures the element in Chromium, and other renderers of streamed Markdown beside it.

bench/web/run                              everything, three rounds (about 25 minutes)
bench/web/run --only answer --rounds 5     one scenario, five times
bench/web/run --only answer,streamdown     the element beside one peer
bench/web/run --smoke                      are texts whole, do the counts hold? (half a minute, no peers)
bench/web/run --read FILE                  the tables of an earlier run

  --rounds N    how often each scenario takes its turn (3)
  --only A,B    some of these:
${Object.entries(SCENARIOS).map(([name, { about }]) => `                  ${name.padEnd(13)} ${about}`).join('\n')}
  --smoke       one short round that fails on a count or a text, never on time
  --read FILE   measures nothing
  --out FILE    where the rows go, a line of JSON each (bench/results/web-….jsonl)

CHROMIUM names another browser than /usr/bin/chromium. The element is what web/dist has: \`make web\`.`;

const here = (name) => new URL(name, import.meta.url).pathname;
const DIST = here('../../web/dist');

process.exitCode = await main(read(process.argv.slice(2)));

function read(argv) {
  try {
    const { values } = parseArgs({
      args: argv,
      options: { rounds: { type: 'string', default: '3' }, only: { type: 'string' }, smoke: { type: 'boolean' }, read: { type: 'string' }, out: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    });
    const known = values.smoke ? SMOKE : SCENARIOS;
    const names = values.only?.split(',') ?? Object.keys(known);
    const wrong = names.find((name) => known[name] === undefined);
    if (wrong !== undefined) throw new Error(`there is no scenario ${wrong}; there are ${Object.keys(known).join(', ')}`);
    const rounds = values.smoke ? 1 : Number(values.rounds);
    if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds takes a whole number, not ${values.rounds}`);
    return { ...values, known, names, rounds };
  } catch (error) {
    process.stderr.write(`${error.message}\nbench/web/run --help shows examples.\n`);
    return process.exit(2);
  }
}

async function main({ help, read: earlier, smoke = false, names, known, rounds, out }) {
  if (help) return say(HELP);
  if (earlier !== undefined) {
    const [run, ...rows] = readFileSync(earlier, 'utf8').trim().split('\n').map((text) => JSON.parse(text));
    say(summary(run, rows));
    return status(rows);
  }
  checkBrowser();
  if (!existsSync(`${DIST}/chatkit.js`)) {
    process.stderr.write('There is no web/dist/chatkit.js: `make web` builds it.\n');
    return 2;
  }
  const peers = names.filter((name) => known[name].isPeer);
  await buildOwn();
  if (peers.length > 0) {
    say(`building ${peers.join(', ')}`);
    await buildPeers(peers);
  }
  const run = { ...await describe(peers), isSmoke: smoke };
  const path = out ?? here(`../results/web-${run.date.replace(/[-:]/g, '')}.jsonl`);
  mkdirSync(dirname(path), { recursive: true });
  const keep = (value) => appendFileSync(path, `${JSON.stringify(value)}\n`);
  keep(run);
  const rows = await measure({ names, known, rounds, keep });
  say(`\n${summary(run, rows)}\n\nEvery row: ${path}${smoke ? '' : `\nAgain: bench/web/run --read ${path}`}`);
  return status(rows);
}

async function measure({ names, known, rounds, keep }) {
  const server = await startServer({ folders: new Map([['', DIST], ['own', here('dist/own')], ['peers', here('dist/peers')]]), pages: pages() });
  const scriptKilobytes = JSON.parse(readFileSync(`${DIST}/chatkit/manifest.json`))['chatkit.js'].gzip / 1000;
  const rows = [];
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (const scenario of names) {
        const { about, run, isPeer = false } = known[scenario];
        say(`round ${round + 1} of ${rounds}: ${scenario} (${about})`);
        const load = os.loadavg()[0];
        // One that breaks costs its row and not the others.
        const row = await run(server).catch((error) => ({ requestsElsewhere: 0, faults: [`broke: ${error.message}`] }));
        const whole = { scenario, round, isPeer, load, ...(scenario === 'start' ? { scriptKilobytes } : {}), ...row };
        rows.push(whole);
        keep(whole);
        say(`  ${line(whole)}${whole.faults.map((fault) => `\n  FAULT ${fault}`).join('')}`);
      }
    }
  } finally {
    await server.close();
  }
  return rows;
}

async function describe(peers) {
  const packages = [...new Set(peers.flatMap((name) => PEERS[name].packages))];
  const [cpu] = os.cpus();
  return {
    date: new Date().toISOString().slice(0, 19),
    machine: `${os.cpus().length} cores of ${cpu.model.trim()}, ${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    browser: `Chromium ${await browserVersion()}, headless, 420×720`,
    versions: [`Node ${process.versions.node}`, ...(packages.length > 0 ? [versionsOf(packages)] : [])].join(', '),
  };
}

/** The pages that are measured, by address. */
function pages() {
  const page = (head, body) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Measured</title><link rel="icon" href="data:,"><script src="/own/probe.js"></script>${head}</head><body>${body}</body></html>`;
  const full = '<style>html,body{height:100%;margin:0}main{height:100%}</style>';
  const scrolling = '<style>html,body{margin:0;font:15px/1.6 sans-serif}#scroller{height:100vh;overflow-y:auto}#host{padding:16px}pre,table{overflow-x:auto}</style>';
  const peer = (name) => page(`${scrolling}${existsSync(here(`dist/peers/${name}.css`)) ? `<link rel="stylesheet" href="/peers/${name}.css">` : ''}`, `<div id="scroller"><div id="host"></div></div><script type="module" src="/peers/${name}.js"></script>`);
  return new Map([
    ['/element', page(`${full}<script src="/chatkit.js"></script>`, '<main><openai-chatkit id="chat"></openai-chatkit></main><script src="/own/element.js"></script>')],
    ['/counters', page('', '<script type="module" src="/own/counters.js"></script>')],
    ...Object.keys(PEERS).map((name) => [`/peer/${name}`, peer(name)]),
  ]);
}

function status(rows) {
  const said = failures(rows);
  for (const failure of said) process.stderr.write(`FAILED ${failure}\n`);
  return said.length > 0 ? 1 : 0;
}

function say(text) {
  process.stdout.write(`${text}\n`);
  return 0;
}
