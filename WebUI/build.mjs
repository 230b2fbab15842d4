// Builds the web interface: bundles the sources with esbuild, names every file after its content, compresses it, and packs all into
// one archive that the program carries (see Sources/CWebUI).
//
//   node build.mjs            makes dist/ and dist/webui.bin
//   node build.mjs --check    checks types, catalogues and the budget, and runs the unit tests as well
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, 'dist');
const modules = '/usr/share/nodejs';
const check = process.argv.includes('--check');
/** Bytes that the first page may cost over the wire: scripts, styles, page, icon and one catalogue. */
const firstLoadBudget = 250_000;

const types = {
  '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.html': 'text/html; charset=utf-8',
  '.svg': 'image/svg+xml', '.png': 'image/png', '.webmanifest': 'application/manifest+json', '.txt': 'text/plain; charset=utf-8',
};

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', env: { ...process.env, NODE_PATH: modules }, ...options });
  if (result.error?.code === 'ENOENT') throw new Error(`${command} is missing: run scripts/install-build.sh`);
  if (result.status !== 0) {
    process.stderr.write(result.stdout ?? '');
    throw new Error(`${command} failed`);
  }
  return result.stdout;
}

const hash = (data) => createHash('sha256').update(data).digest('hex').slice(0, 10);

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

/** What is bundled from elsewhere, with the licences that go along. */
function notices() {
  const parts = ['react', 'react-dom', 'scheduler'].map((name) => {
    const about = JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8'));
    return `${about.name} ${about.version}\n`;
  });
  return `The web interface contains these works of others:\n\n${parts.join('')}\n${readFileSync(join(root, 'licences', 'react.txt'), 'utf8')}`;
}

function build() {
  rmSync(dist, { recursive: true, force: true });
  const out = join(dist, 'files');
  mkdirSync(join(out, 'assets'), { recursive: true });
  const meta = join(dist, 'meta.json');
  run('esbuild', [
    'src/core/ahead.ts', 'src/main.tsx', '--bundle', '--splitting', '--format=esm', '--minify', '--jsx=automatic', '--target=es2021', '--log-level=warning', '--charset=utf8',
    '--legal-comments=none', '--define:process.env.NODE_ENV="production"', '--entry-names=[name]-[hash]', '--chunk-names=[name]-[hash]',
    '--asset-names=[name]-[hash]', `--metafile=${meta}`, `--outdir=${join(out, 'assets')}`,
  ]);
  const outputs = JSON.parse(readFileSync(meta, 'utf8')).outputs;
  const entry = Object.entries(outputs).find(([, output]) => output.entryPoint === 'src/main.tsx');
  const script = relative(out, join(root, entry[0]));
  // What is asked ahead is a chunk of its own, which the rest shares: the entry that only points at it is not needed.
  const [ahead] = Object.entries(outputs).find(([, output]) => output.inputs['src/core/ahead.ts']?.bytesInOutput > 0);
  const pointer = Object.entries(outputs).find(([path, output]) => output.entryPoint === 'src/core/ahead.ts' && path !== ahead);
  if (pointer) rmSync(join(root, pointer[0]));
  if (Object.keys(outputs[ahead].inputs).length !== 1) throw new Error('what is asked ahead has to stand alone');
  const style = relative(out, join(root, entry[1].cssBundle));
  /** Chunks that the entry needs at once, so that the browser asks for them without having read it. */
  const statics = new Set();
  const visit = (path) => {
    for (const { path: next, kind } of outputs[path].imports) {
      if (kind !== 'import-statement' || statics.has(next)) continue;
      statics.add(next);
      visit(next);
    }
  };
  visit(entry[0]);
  const names = {};
  for (const file of readdirSync(join(root, 'icons'))) {
    const data = readFileSync(join(root, 'icons', file));
    const extension = extname(file);
    const name = `assets/${file.slice(0, -extension.length)}-${hash(data)}${extension}`;
    writeFileSync(join(out, name), data);
    names[file] = `/ui/${name}`;
  }
  const manifest = readFileSync(join(root, 'manifest.webmanifest'), 'utf8').replace(/\{\{(.*?)\}\}/g, (_, name) => names[name]);
  writeFileSync(join(out, 'manifest.webmanifest'), manifest);
  writeFileSync(join(out, 'licences.txt'), notices());
  const page = readFileSync(join(root, 'index.html'), 'utf8')
    .replace('{{script}}', `/ui/${script}`).replace('{{style}}', `/ui/${style}`)
    .replace('{{ahead}}', `/ui/${relative(out, join(root, ahead))}`)
    .replace('{{preload}}', [...statics].filter((path) => path !== ahead).map((path) => `<link rel="modulepreload" href="/ui/${relative(out, join(root, path))}">`).join('\n'))
    .replace(/\{\{(.*?)\}\}/g, (_, name) => names[name]);
  writeFileSync(join(out, 'index.html'), page);
  return { out, first: ['index.html', script, style, ...[...statics].map((path) => relative(out, join(root, path)))], outputs };
}

/** The archive: length of the head (u32, little-endian), the head in JSON, and the bytes that it points at. */
function pack(out) {
  const entries = [];
  const blobs = [];
  let offset = 0;
  const add = (data) => {
    blobs.push(data);
    offset += data.length;
    return { offset: offset - data.length, length: data.length };
  };
  const sizes = {};
  for (const path of filesBelow(out).sort()) {
    const name = relative(out, path);
    const data = readFileSync(path);
    const type = types[extname(name)];
    if (!type) throw new Error(`no media type for ${name}`);
    const forms = { identity: add(data) };
    if (extname(name) !== '.png') {
      const gzip = gzipSync(data, { level: 9 });
      const brotli = brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: data.length } });
      if (gzip.length < data.length) forms.gzip = add(gzip);
      if (brotli.length < data.length) forms.br = add(brotli);
    }
    sizes[name] = Math.min(...Object.values(forms).map((form) => form.length));
    entries.push({ name, type, etag: hash(data), immutable: name.startsWith('assets/'), forms });
  }
  const head = Buffer.from(JSON.stringify(entries));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  return { archive: Buffer.concat([length, head, ...blobs]), sizes };
}

/** Every code that the server can say, with the names of the values in its sentence, from the one list of them. */
function sentences() {
  const found = new Map();
  for (const name of ['ReasonSentences', 'ReasonRefusals', 'ReasonReports']) {
    const source = readFileSync(join(root, '..', 'Sources', 'NVRModel', `${name}.swift`), 'utf8');
    for (const [, code, sentence] of source.matchAll(/\(\s*"([a-z][a-z_]*)",\s*"((?:[^"\\]|\\.)*)"\s*\)/g)) found.set(code, new Set([...sentence.matchAll(/\{(\w+)\}/g)].map((match) => match[1])));
    // Entries that were written in another way would go unnoticed.
    if ([...source.matchAll(/^\s*\(\s*"/gm)].length === 0) throw new Error(`${name}.swift holds no sentences`);
  }
  return found;
}

/** Words of a known few that the server answers: where they stand, between which marks, and what the keys of their texts begin with. */
const wordLists = [
  ['NVRModel/HealthEvent.swift', /struct Kind/, /Kind\(rawValue: "(\w+)"\)/g, ['health']],
  ['NVRModel/Outage.swift', /var name: String/, /: "(\w+)"/g, ['gap']],
  ['NVRModel/Stream.swift', /enum CameraStatus/, null, ['status']],
  ['NVRModel/OffsiteCopy.swift', /enum Outcome/, null, ['offsite.dropped'], ['copied']],
  ['NVROffsite/OffsiteActivity.swift', /enum Phase/, null, ['offsite.state']],
  ['NVRRecording/VolumeLoss.swift', /enum Cause/, null, ['volume', 'gap']],
  ['NVRRecording/FootageSync.swift', /enum Phase/, null, ['sync'], ['idle']],
  ['NVRRecording/Retention/RetentionPlan.swift', /enum Reason/, null, ['reason']],
  ['NVRRecording/Retention/RetentionService.swift', /enum Stop/, /case \.\w+: "(\w+)"/g, ['stopped']],
  ['NVRRecording/Retention/SpaceProof.swift', /enum Doubt/, null, ['stopped']],
  ['NVRCameras/HealthWatch.swift', /clockImplausible/, /cause: "(\w+)"/g, ['gap']],
];

/** Keys that have to be there for these words. */
function wordKeys() {
  return wordLists.flatMap(([file, opening, pattern, prefixes, without = []]) => {
    const source = readFileSync(join(root, '..', 'Sources', file), 'utf8');
    const start = source.search(opening);
    // Without a pattern: the cases of an enumeration, whose raw values are their names where they have no other.
    const part = pattern ? source.slice(start) : source.slice(start, start + source.slice(start).search(/\n {0,4}\}/));
    const found = pattern ? [...part.matchAll(pattern)].map((match) => match[1])
      : [...part.matchAll(/^\s*case (\w+)(?: = "(\w+)")?$/gm)].map((match) => match[2] ?? match[1]);
    if (start < 0 || found.length === 0) throw new Error(`${file}: no words are found; has the list moved?`);
    return found.filter((word) => !without.includes(word)).flatMap((word) => prefixes.map((prefix) => `${prefix}.${word}`));
  });
}

/** Catalogues have the same keys by their type; here the same variables, and every key that the sources name. */
function catalogues() {
  const read = (name) => new Map([...readFileSync(join(root, 'src', 'i18n', `${name}.ts`), 'utf8').matchAll(/^ {2}'([^']+)': '((?:[^'\\\\]|\\\\.)*)',$/gm)].map((match) => [match[1], match[2]]));
  const english = read('en');
  const variables = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort().join();
  const wrong = [];
  for (const name of ['de', 'fr', 'it', 'es']) {
    const other = read(name);
    for (const [key, text] of english) {
      if (!other.get(key)) wrong.push(`${name}: ${key} is missing`);
      else if (variables(other.get(key)) !== variables(text)) wrong.push(`${name}: ${key} has other variables`);
    }
    for (const key of other.keys()) if (!english.has(key)) wrong.push(`${name}: ${key} is unknown`);
  }
  for (const path of filesBelow(join(root, 'src'))) {
    for (const [, key] of readFileSync(path, 'utf8').matchAll(/\bt\('([^']+)'/g)) if (!english.has(key)) wrong.push(`${relative(root, path)}: ${key} has no text`);
  }
  for (const key of wordKeys()) if (!english.has(key)) wrong.push(`${key} has no text, and the server may say it`);
  const spoken = sentences();
  for (const [code, names] of spoken) {
    const text = english.get(`said.${code}`);
    if (!text) wrong.push(`said.${code} has no text, and the server may say it`);
    else for (const [, name] of text.matchAll(/\{(\w+)\}/g)) if (!names.has(name)) wrong.push(`said.${code}: the server does not say {${name}}`);
  }
  for (const key of english.keys()) if (key.startsWith('said.') && !spoken.has(key.slice(5))) wrong.push(`${key}: the server never says it`);
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
}

try {
  const { out, first } = build();
  const { archive, sizes } = pack(out);
  const target = join(dist, 'webui.bin');
  writeFileSync(target, archive);
  // The compiler of the C file sees a changed archive by itself, but not one that was not there before.
  const carrier = join(root, '..', 'Sources', 'CWebUI', 'CWebUI.c');
  const stamp = join(root, '..', '.work', 'webui.sha256');
  const digest = createHash('sha256').update(archive).digest('hex');
  if (existsSync(carrier) && (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== digest)) {
    mkdirSync(dirname(stamp), { recursive: true });
    writeFileSync(stamp, digest);
    utimesSync(carrier, new Date(), new Date());
  }
  const largestCatalogue = Math.max(0, ...Object.keys(sizes).filter((name) => /assets\/(de|fr|it|es)-/.test(name)).map((name) => sizes[name]));
  const bytes = first.reduce((sum, name) => sum + sizes[name], largestCatalogue);
  const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
  console.log(`web interface: first load ${(bytes / 1000).toFixed(1)} kB, everything ${(total / 1000).toFixed(1)} kB compressed, archive ${(archive.length / 1000).toFixed(0)} kB`);
  if (bytes > firstLoadBudget) throw new Error(`the first load may cost ${firstLoadBudget} bytes`);
  if (check) {
    run('tsc', ['-p', '.']);
    catalogues();
    const tests = join(dist, 'test');
    run('esbuild', [...readdirSync(join(root, 'test')).filter((name) => name.endsWith('.test.ts')).map((name) => `test/${name}`),
      '--bundle', '--platform=node', '--format=esm', '--out-extension:.js=.mjs', '--log-level=warning', `--outdir=${tests}`]);
    run('node', ['--test', ...filesBelow(tests).filter((name) => name.endsWith('.mjs'))], { stdio: 'inherit' });
  }
} catch (problem) {
  console.error(`web interface: ${problem.message}`);
  process.exit(1);
}
