// Opens a report in a browser and holds it to what it promises:
//   node check.mjs REPORT.html REPORT.json [SCREENSHOTS]
// REPORT.json is `freeweights cost .. --format json` of the same results and terms.
import { readFileSync, mkdirSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { createRequire } from "node:module";

const require = createRequire(pathToFileURL(`${process.env.PAGE_MODULES ?? process.cwd()}/`));
const chromium = require("@sparticuz/chromium").default ?? require("@sparticuz/chromium");
const puppeteer = require("puppeteer-core").default ?? require("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const [html, json, shots] = process.argv.slice(2);
if (!html || !json) {
  console.error("usage: node check.mjs REPORT.html REPORT.json [SCREENSHOTS]");
  process.exit(2);
}
const WIDTHS = [390, 1280, 1920];
const MOST_BYTES = 1_500_000;
const MOST_MS = 1_000;
const failures = [];
const hold = (holds, what) => {
  console.log(`${holds ? "ok  " : "FAIL"} ${what}`);
  if (!holds) failures.push(what);
};

const size = statSync(html).size;
hold(size < MOST_BYTES, `${size} bytes, fewer than ${MOST_BYTES}`);

const browser = await puppeteer.launch({
  args: [...chromium.args, "--no-sandbox", "--disable-setuid-sandbox"],
  executablePath: await chromium.executablePath(),
  headless: "shell",
});
try {
  const page = await browser.newPage();
  const complaints = [];
  const requests = [];
  page.on("console", (message) => {
    if (["error", "warn", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    if (!/^(file|data):/.test(request.url())) requests.push(request.url());
  });
  await page.setViewport({ width: 1280, height: 900 });
  await page.goto(pathToFileURL(resolve(html)).href, { waitUntil: "load" });
  // The longest of several would be the machine's; the shortest is the page's.
  const times = [];
  for (let round = 0; round < 3; round += 1) {
    await page.reload({ waitUntil: "load" });
    times.push(await page.evaluate(() => {
      const [entry] = performance.getEntriesByType("navigation");
      return entry.loadEventEnd - entry.startTime;
    }));
  }
  const fastest = Math.round(Math.min(...times));
  hold(fastest < MOST_MS, `shown within ${fastest} ms`);

  // The figures of the first screen against the JSON, number by number.
  const told = JSON.parse(readFileSync(json, "utf8"));
  const figures = await page.$$eval("data[data-key]", (all) =>
    all.map((one) => ({ key: one.dataset.key, value: Number(one.value), shown: one.textContent })));
  hold(figures.length >= 3, `${figures.length} figures with a key`);
  for (const { key, value, shown } of figures) {
    const expected = key.split(".").reduce((at, part) => at?.[part], told);
    const same = expected === value || Math.abs(expected - value) <= 1e-9 * Math.abs(expected);
    hold(same, `${key}: ${value} on the page, ${expected} in the JSON`);
    hold(reads(shown, value), `${key}: ${value} reads as ${shown}`);
  }
  // Every table cell with a number reads as that number, rounded.
  const cells = await page.$$eval("td data, th data", (all) =>
    all.map((one) => ({ value: Number(one.value), shown: one.textContent })));
  const wrong = cells.filter(({ value, shown }) => Number.isNaN(value) || !reads(shown, value));
  hold(cells.length > 20 && wrong.length === 0,
    `${cells.length} numbers in tables read as they are${wrong.length ? `: ${JSON.stringify(wrong[0])}` : ""}`);

  // A chart's table opens with a click and holds as many rows as its CSV.
  const summary = await page.$("figure:not([hidden]) details.data > summary");
  await summary.click();
  const opened = await summary.evaluate((node) => {
    const details = node.parentElement;
    const csv = decodeURIComponent(details.querySelector("a[download]").href.split(",").slice(1).join(","));
    return {
      open: details.open,
      rows: details.querySelectorAll("tbody tr").length,
      lines: csv.trim().split("\n").length - 1,
    };
  });
  hold(opened.open && opened.rows > 0 && opened.rows === opened.lines,
    `a click opens the table: ${opened.rows} rows, ${opened.lines} lines of CSV`);

  // The switch between the two ways to look at the volume.
  const shown = () => page.$$eval(".tabs figure", (all) =>
    all.map((one) => getComputedStyle(one).display !== "none"));
  const before = await shown();
  await page.click(".tabs label:nth-of-type(2)");
  const after = await shown();
  hold(before[0] && !before[1] && !after[0] && after[1], "the switch shows the other chart");
  await page.click(".tabs label:nth-of-type(1)");

  // The switch between light and dark.
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.click('[data-theme-choice="light"]');
  const light = await paper();
  await page.click('[data-theme-choice="dark"]');
  const dark = await paper();
  hold(light !== dark, `light ${light}, dark ${dark}`);

  for (const theme of ["light", "dark"]) {
    await page.click(`[data-theme-choice="${theme}"]`);
    for (const width of WIDTHS) {
      await page.setViewport({ width, height: width < 600 ? 844 : 1100 });
      const across = await page.evaluate(() => document.documentElement.scrollWidth);
      hold(across <= width, `${theme}, ${width} pixels: nothing sticks out (${across})`);
      if (shots) {
        mkdirSync(shots, { recursive: true });
        await page.screenshot({ path: `${shots}/${theme}-${width}.png`, fullPage: true });
        await page.screenshot({ path: `${shots}/${theme}-${width}-first.png` });
      }
    }
    await page.setViewport({ width: 1280, height: 900 });
    await page.evaluate(axe);
    const found = await page.evaluate(async () => (await window.axe.run()).violations.map((one) =>
      ({ id: one.id, impact: one.impact, nodes: one.nodes.length, first: one.nodes[0].html.slice(0, 160) })));
    const serious = found.filter(({ impact }) => impact === "serious" || impact === "critical");
    for (const one of found) console.log(`     axe: ${one.impact} ${one.id} (${one.nodes}): ${one.first}`);
    hold(serious.length === 0, `${theme}: no serious finding of axe`);
  }
  hold(complaints.length === 0, `no complaint on the console ${complaints.join("; ")}`);
  hold(requests.length === 0, `no request to a network ${requests.join("; ")}`);
} finally {
  await browser.close();
}
process.exit(failures.length ? 1 : 0);

// Whether a number as people read it is that number, to three digits or the last one shown.
function reads(shown, value) {
  const text = shown.trim().replace(/,/g, "");
  const words = { thousand: 1e3, million: 1e6, billion: 1e9, trillion: 1e12 };
  const match = /^(-?[\d.]+(?:e-?\d+)?)\s*(.*)$/.exec(text);
  if (!match) return false;
  const units = { "%": 0.01, ms: 1e-3, us: 1e-6, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
  const factor = words[match[2]] ?? units[match[2]];
  const size = (scale) => Math.abs(Number(match[1]) * scale - value) <= 0.006 * Math.abs(value) + 1e-12;
  // GFLOP/s and GB/s have their prefix in the title.
  return factor === undefined ? size(1) || size(1e9) : size(factor);
}
