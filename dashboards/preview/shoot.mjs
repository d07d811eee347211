// Takes the pictures: `node shoot.mjs '{"prometheus": …, "dist": …, "json": …, "out": …, "pages": […]}'`.
// Ends with 1 when a page writes an error to the console, a query fails, or a panel is empty.
import { createReadStream, existsSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';

import { chromium } from 'playwright-core';
import UPNG from 'upng-js';

const { prometheus, dist, json, out, pages, colours } = JSON.parse(process.argv[2]);
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json' };

const server = createServer((asked, answer) => {
  const path = normalize(new URL(asked.url, 'http://x').pathname);
  if (path.startsWith('/prometheus/')) {
    const to = new URL(asked.url.slice('/prometheus'.length), prometheus);
    asked.pipe(
      request(to, { method: asked.method, headers: { 'content-type': asked.headers['content-type'] ?? '' } }, (found) => {
        answer.writeHead(found.statusCode, found.headers);
        found.pipe(answer);
      }).on('error', () => answer.writeHead(502).end())
    );
    return;
  }
  if (path.endsWith('.svg')) {
    // Grafana's icons are not in its packages.
    answer.writeHead(200, { 'content-type': 'image/svg+xml' }).end('<svg xmlns="http://www.w3.org/2000/svg"/>');
    return;
  }
  if (path.endsWith('.woff2')) {
    answer.writeHead(200, { 'content-type': 'font/woff2' }).end(); // nor its fonts: the browser takes its own
    return;
  }
  const file = path.startsWith('/dashboards/') ? join(json, path.slice(12)) : join(dist, path === '/' ? 'index.html' : path);
  if (!existsSync(file)) {
    answer.writeHead(path === '/favicon.ico' ? 204 : 404).end();
    return;
  }
  answer.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' });
  createReadStream(file).pipe(answer);
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const address = `http://127.0.0.1:${server.address().port}`;

const profile = mkdtempSync(join(tmpdir(), 'preview-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  viewport: { width: 1600, height: 3200 },
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
const faults = [];
for (const one of pages) {
  const page = await browser.newPage();
  page.on('console', (said) => said.type() === 'error' && faults.push(`${one.name}: console: ${said.text().slice(0, 400)}`));
  page.on('response', (found) => found.status() >= 400 && faults.push(`${one.name}: ${found.status()} ${found.url()}`));
  page.on('pageerror', (error) => faults.push(`${one.name}: ${error.stack.slice(0, 900)}`));
  const query = new URLSearchParams({ ...one, chosen: JSON.stringify(one.chosen) });
  await page.goto(`${address}/?${query}`);
  const drawn = page.waitForFunction(() => window.preview && window.preview.waiting === 0, undefined, { timeout: 60000 });
  if (!(await drawn.then(() => true, () => false))) {
    faults.push(`${one.name}: was not drawn within a minute`);
    await page.close();
    continue;
  }
  await page.waitForTimeout(1200);
  const state = await page.evaluate(() => window.preview);
  faults.push(...state.failed.map((text) => `${one.name}: ${text}`), ...state.empty.map((title) => `${one.name}: No data: ${title}`));
  const shot = await page.locator('#root > div').first().screenshot({ type: 'png' });
  const raw = UPNG.decode(shot);
  const file = Buffer.from(UPNG.encode(UPNG.toRGBA8(raw), raw.width, raw.height, colours));
  writeFileSync(join(out, `${one.name}.png`), file);
  console.log(`${one.name}.png ${raw.width} × ${raw.height}, ${Math.round(file.length / 1000)} kB`);
  await page.close();
}
await browser.close();
rmSync(profile, { recursive: true, force: true });
server.close();
faults.forEach((fault) => console.error(fault));
process.exit(faults.length ? 1 : 0);
