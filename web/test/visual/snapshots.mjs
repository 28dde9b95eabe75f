// `npm run snapshots`: holds what the chat looks like against the kept pictures; with `--update`, it makes them anew.
import process from 'node:process';
import { compareAll, keepAll, madeBy, obstacleTo } from './compare.mjs';
import { openStudio } from './studio.mjs';

const studio = await openStudio();
try {
  if (process.argv.includes('--update')) {
    const { count, bytes } = await keepAll(studio);
    process.stdout.write(`${count} pictures, ${(bytes / 1_000_000).toFixed(1)} MB, by Chromium ${studio.version}\n`);
  } else {
    const obstacle = obstacleTo(await madeBy(), studio.version);
    if (obstacle === null) {
      const { differences, count } = await compareAll(studio);
      for (const words of differences) process.stdout.write(`${words}\n`);
      process.stdout.write(`${count} pictures, ${differences.length} differences\n`);
      process.exitCode = differences.length === 0 ? 0 : 1;
    } else process.stdout.write(`skipped: ${obstacle}\n`);
  }
} finally {
  await studio.close();
}
