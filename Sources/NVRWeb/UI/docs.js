// Shows /openapi.json: every operation with its parameters, bodies and answers, every schema, and a form to try a call.

const $ = id => document.getElementById(id);

/** Makes an element: properties, then children; texts stay texts. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('aria-')) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** Shows why something failed in the paragraph meant for it. */
function complain(element, failure) {
  element.textContent = failure ? failure.message : '';
  element.hidden = !failure;
}

const methods = ['get', 'post', 'put', 'patch', 'delete'];
let api;

/** What a `$ref` of this document means. */
function resolve(value) {
  if (!value?.$ref) return value;
  return value.$ref.slice(2).split('/').reduce((object, key) => object?.[key.replaceAll('~1', '/').replaceAll('~0', '~')], api);
}

const nameOf = reference => reference.split('/').pop();

/** Text of the document; what stands between backticks is code. */
const prose = text => (text ?? '').split('`').map((part, index) => index % 2 ? make('code', { textContent: part }) : part);

/** A schema in one line: its type with limits, links to named ones. */
function line(schema) {
  if (!schema || !Object.keys(schema).length) return ['any'];
  if (schema.$ref) return [make('a', { href: `#schema-${nameOf(schema.$ref)}`, textContent: nameOf(schema.$ref) })];
  for (const key of ['anyOf', 'oneOf', 'allOf']) {
    if (schema[key]) return schema[key].flatMap((one, index) => index ? [' or ', ...line(one)] : line(one));
  }
  if (schema.const !== undefined) return [JSON.stringify(schema.const)];
  if (schema.enum) return [schema.enum.map(value => JSON.stringify(value)).join(', ')];
  const types = [schema.type ?? 'any'].flat();
  if (types.includes('array')) return ['list of ', ...line(schema.items), limits(schema)];
  if (types.includes('object') && schema.additionalProperties && !schema.properties) return ['map of ', ...line(schema.additionalProperties)];
  if (types.includes('object') && schema.properties) return [`{ ${Object.keys(schema.properties).join(', ')} }`];
  return [types.join(' or ') + (schema.format ? ` (${schema.format})` : '') + limits(schema)];
}

function limits(schema) {
  const parts = [];
  const span = (low, high, unit) => {
    if (low === undefined && high === undefined) return;
    parts.push(`${low ?? ''}…${high ?? ''}${unit}`);
  };
  span(schema.minimum, schema.maximum, '');
  span(schema.minLength, schema.maxLength, ' characters');
  span(schema.minItems, schema.maxItems, ' entries');
  return parts.length ? `, ${parts.join(', ')}` : '';
}

function table(heads, rows) {
  return make('table', {}, make('thead', {}, make('tr', {}, ...heads.map(textContent => make('th', { textContent })))),
    make('tbody', {}, ...rows.map(cells => make('tr', {}, ...cells.map(cell => make('td', {}, ...[cell].flat()))))));
}

/** The members of an object schema as a table; any other schema as a line. */
function shape(schema) {
  if (schema?.anyOf) return make('div', { className: 'content' }, ...schema.anyOf.map(shape));
  if (!schema?.properties) return make('p', {}, make('span', { className: 'type' }, ...line(schema)), ' ', ...prose(schema?.description));
  const required = new Set(schema.required ?? []);
  return table(['Member', 'Type', ''], Object.entries(schema.properties).map(([name, member]) => [
    make('code', { textContent: name + (required.has(name) ? '' : '?') }), make('span', { className: 'type' }, ...line(member)),
    [...prose(member.description), member.default !== undefined && member.default !== null ? ` Default: ${JSON.stringify(member.default)}` : ''],
  ]));
}

function bodies(content) {
  return Object.entries(content).flatMap(([type, { schema }]) => [
    make('p', { className: 'type' }, type, ...(schema.$ref ? [': ', ...line(schema)] : [])), shape(resolve(schema)),
  ]);
}

/** An example of what a schema wants, for the form. */
function example(schema, depth = 0) {
  schema = resolve(schema) ?? {};
  if (schema.examples?.length) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf) return example(schema.anyOf[0], depth);
  const type = [schema.type].flat()[0];
  if (type === 'object') {
    const wanted = (schema.required ?? []).filter(name => schema.properties?.[name]);
    return depth > 3 ? {} : Object.fromEntries(wanted.map(name => [name, example(schema.properties[name], depth + 1)]));
  }
  if (type === 'array') return [];
  if (type === 'integer' || type === 'number') return schema.minimum ?? 0;
  if (type === 'boolean') return false;
  return '';
}

function form(path, method, operation) {
  const inputs = (operation.parameters ?? []).map(parameter => ({
    parameter, input: make('input', { required: parameter.required, placeholder: line(parameter.schema).map(part => part.textContent ?? part).join('') }),
  }));
  const body = resolve(operation.requestBody);
  const type = body && Object.keys(body.content)[0];
  const isForm = type === 'application/x-www-form-urlencoded';
  const isFile = type === 'multipart/form-data';
  const text = body && !isFile && make('textarea', { spellcheck: false });
  if (text) text.value = isForm
    ? new URLSearchParams(example(body.content[type].schema)).toString() : JSON.stringify(example(body.content[type].schema), null, 2);
  const file = isFile && make('input', { type: 'file' });
  const said = make('p', { className: 'type', hidden: true });
  const answer = make('pre', { hidden: true });
  const element = make('form', { className: 'try' }, make('h3', { textContent: 'Try it' }));
  if (inputs.length) {
    element.append(make('div', { className: 'fields' }, ...inputs.map(({ parameter, input }) =>
      make('label', {}, `${parameter.name}${parameter.required ? ' *' : ''}`, input))));
  }
  if (text) element.append(make('label', {}, type, text));
  if (file) element.append(make('label', {}, type, file));
  element.append(make('div', { className: 'actions' }, make('button', { type: 'submit', className: 'primary', textContent: 'Send' })), said, answer);
  element.addEventListener('submit', async event => {
    event.preventDefault();
    let target = path;
    const query = new URLSearchParams();
    const options = { method: method.toUpperCase(), credentials: 'same-origin', headers: {} };
    for (const { parameter, input } of inputs) {
      if (!input.value && !parameter.required) continue;
      if (parameter.in === 'path') target = target.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (parameter.in === 'query') query.append(parameter.name, input.value);
      else options.headers[parameter.name] = input.value;
    }
    if (text && text.value.trim()) {
      options.body = text.value;
      options.headers['Content-Type'] = type;
    } else if (file && file.files[0]) {
      options.body = new FormData();
      options.body.append('file', file.files[0]);
    }
    said.hidden = answer.hidden = false;
    try {
      const response = await fetch('/api' + target + (query.size ? `?${query}` : ''), options);
      const kind = response.headers.get('Content-Type') ?? '';
      said.textContent = `${response.status} ${response.statusText} · ${kind || 'no body'}`;
      if (/json/.test(kind)) answer.textContent = JSON.stringify(await response.json(), null, 2);
      else if (/^text\//.test(kind)) answer.textContent = await response.text();
      else answer.textContent = kind ? `${(await response.blob()).size} bytes` : '';
    } catch (problem) {
      said.textContent = `The call failed: ${problem.message}`;
      answer.hidden = true;
    }
  });
  return element;
}

function operationElement(path, method, operation) {
  const id = `operation-${operation.operationId}`;
  const element = make('details', { className: 'operation', id });
  element.append(make('summary', {}, make('span', { className: `method ${method}`, textContent: method.toUpperCase() }),
    make('span', { className: 'path', textContent: path }), make('span', { className: 'says' }, ...prose(operation.summary))));
  // Most operations are never opened: what they hold is made when they are.
  element.addEventListener('toggle', () => {
    if (!element.open || element.querySelector('.content')) return;
    const content = make('div', { className: 'content' }, make('p', {}, ...prose(operation.description)));
    if (operation.parameters?.length) {
      content.append(make('h3', { textContent: 'Parameters' }), table(['Name', 'In', 'Type', ''], operation.parameters.map(parameter => [
        make('code', { textContent: parameter.name + (parameter.required ? '' : '?') }), parameter.in,
        make('span', { className: 'type' }, ...line(parameter.schema)), prose(parameter.description),
      ])));
    }
    const body = resolve(operation.requestBody);
    if (body) content.append(make('h3', { textContent: body.required ? 'Body' : 'Body (optional)' }), ...bodies(body.content));
    content.append(make('h3', { textContent: 'Answers' }), table(['Status', '', 'Body'], Object.entries(operation.responses).map(([status, given]) => {
      const response = resolve(given);
      const kinds = Object.entries(response.content ?? {}).map(([type, { schema }]) => make('div', { className: 'type' }, `${type}: `, ...line(schema)));
      return [make('code', { textContent: status }), prose(response.description), kinds];
    })));
    content.append(form(path, method, operation));
    element.append(content);
  });
  return element;
}

function schemaElement(name, schema) {
  const element = make('details', { className: 'schema', id: `schema-${name}` },
    make('summary', {}, make('span', { className: 'path', textContent: name }), make('span', { className: 'says' }, ...prose(schema.description))));
  element.addEventListener('toggle', () => {
    if (element.open && !element.querySelector('.content')) element.append(make('div', { className: 'content' }, shape(schema)));
  });
  return element;
}

/** Opens what the address names. */
function follow() {
  const target = location.hash.length > 1 && $(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  target.open = true;
  target.scrollIntoView();
}

const entries = [];

function search() {
  const words = $('search').value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const entry of entries) {
    const fits = words.every(word => entry.words.includes(word));
    entry.element.hidden = !fits;
    if (entry.link) entry.link.hidden = !fits;
  }
  for (const section of document.querySelectorAll('.tag')) {
    section.hidden = [...section.querySelectorAll('details')].every(element => element.hidden);
  }
  $('schemas-title').hidden = [...$('schemas').children].every(element => element.hidden);
  $('nothing').hidden = entries.some(entry => !entry.element.hidden);
}

async function show() {
  const response = await fetch('/openapi.json');
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  api = await response.json();
  $('title').textContent = `${api.info.title} API ${api.info.version}`;
  $('introduction').append(make('p', {}, ...prose(api.info.description)), table(['Way to sign in', ''], Object.values(api.components.securitySchemes).map(
    scheme => [make('code', { textContent: scheme.type === 'http' ? 'Authorization: Bearer' : `${scheme.in}: ${scheme.name}` }), prose(scheme.description)])));
  const sections = new Map(api.tags.map(({ name }) => [name, []]));
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of methods) {
      if (item[method]) sections.get(item[method].tags[0])?.push([path, method, item[method]]);
    }
  }
  for (const [name, operations] of sections) {
    if (!operations.length) continue;
    const section = make('section', { className: 'tag' }, make('h2', { textContent: name }));
    $('contents').append(make('h2', { textContent: name }));
    for (const [path, method, operation] of operations) {
      const element = operationElement(path, method, operation);
      const link = make('a', { href: `#${element.id}`, textContent: operation.summary.replaceAll('`', ''), title: `${method.toUpperCase()} ${path}` });
      entries.push({ element, link, words: `${method} ${path} ${operation.operationId} ${operation.summary} ${operation.description}`.toLowerCase() });
      section.append(element);
      $('contents').append(link);
    }
    $('operations').append(section);
  }
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    const element = schemaElement(name, schema);
    entries.push({ element, words: `${name} ${Object.keys(schema.properties ?? {}).join(' ')}`.toLowerCase() });
    $('schemas').append(element);
  }
  $('search').addEventListener('input', search);
  addEventListener('hashchange', follow);
  follow();
}

show().catch(problem => complain($('problem'), problem));
