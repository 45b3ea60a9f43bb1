// Checks the schemas with validators that share nothing with the C++ code: ajv for the examples, @asyncapi/parser for
// asyncapi.yaml. Also the house rules of a schema, and that docs/topics.md, asyncapi.yaml and the files agree.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv';
import { Parser } from '@asyncapi/parser';

const here = dirname(fileURLToPath(import.meta.url));
const common = 'common.schema.json';
const pattern_length_max = 256;
let passed = 0;
let failed = 0;

function check(good, what) {
  if (good) passed += 1;
  else {
    failed += 1;
    console.error(`FAILED ${what}`);
  }
}

const read = (...parts) => readFileSync(join(here, ...parts), 'utf8');
const files = readdirSync(here).filter((name) => name.endsWith('.schema.json')).sort();
const schemas = new Map(files.map((name) => [name, JSON.parse(read(name))]));

// House rules. `open` is true where unknown fields are let through: state and event.
function rules(schema, where, open, bound) {
  const found = [];
  const length = schema.maxLength ?? bound;
  const listed = schema.enum !== undefined || schema.const !== undefined;
  if (schema.type === 'string' && schema.maxLength === undefined && !listed) found.push(`${where}: string without maxLength`);
  if (schema.type === 'array' && schema.maxItems === undefined) found.push(`${where}: array without maxItems`);
  if (schema.type === 'object' && schema.additionalProperties === undefined && !open) found.push(`${where}: object lets unknown fields through`);
  if (schema.pattern !== undefined) {
    if (!(length <= pattern_length_max)) found.push(`${where}: pattern without maxLength <= ${pattern_length_max}`);
    // std::regex recurses once per repetition: an unbounded one overflows the stack on a long string.
    if (/[*+]|\{\d+,\}/.test(schema.pattern.replace(/\[[^\]]*\]/g, 'x'))) found.push(`${where}: pattern with an unbounded repetition`);
  }
  if (schema.$ref !== undefined && !schema.$ref.startsWith(`${common}#/definitions/`)) found.push(`${where}: reference to ${schema.$ref}`);
  // valijson 1.0 mistakes an inline propertyNames for the schema around it.
  if (schema.propertyNames && !schema.propertyNames.$ref) found.push(`${where}: propertyNames is not a reference`);
  const below = (part, name, inherited) => found.push(...rules(part, `${where}/${name}`, open, inherited));
  for (const [name, part] of Object.entries(schema.properties ?? {})) below(part, name);
  for (const word of ['items', 'additionalProperties', 'propertyNames']) {
    if (schema[word] !== null && typeof schema[word] === 'object') below(schema[word], word);
  }
  if (schema.not) below(schema.not, 'not', length);
  for (const word of ['allOf', 'anyOf', 'oneOf']) (schema[word] ?? []).forEach((part, i) => below(part, `${word}/${i}`, length));
  return found;
}

function check_rules() {
  for (const [name, schema] of schemas) {
    const found = [];
    if (schema.$id !== name) found.push('$id is not the file name');
    if (schema.$schema !== 'http://json-schema.org/draft-07/schema#') found.push('$schema is not draft-07');
    if (name === common) {
      for (const [key, part] of Object.entries(schema.definitions)) found.push(...rules(part, key, key.startsWith('state_')));
    } else {
      found.push(...rules(schema, '', /^(state|event)\./.test(name)));
    }
    check(found.length === 0, `${name}: ${found.join('; ')}`);
  }
}

function check_examples() {
  const ajv = new Ajv({ strict: true, allErrors: false });
  for (const schema of schemas.values()) ajv.addSchema(schema);
  const folders = new Set(readdirSync(join(here, 'examples')));
  for (const name of files.filter((file) => file !== common)) {
    const base = name.replace('.schema.json', '');
    let validate;
    try {
      validate = ajv.getSchema(name);
    } catch (error) {
      check(false, `${name}: ${error.message}`);
      continue;
    }
    const examples = folders.delete(base) ? readdirSync(join(here, 'examples', base)).sort() : [];
    const kinds = { valid: 0, invalid: 0 };
    for (const example of examples) {
      const kind = /^(valid|invalid)-.*\.json$/.exec(example)?.[1];
      const where = `examples/${base}/${example}`;
      if (!kind) {
        check(false, `${where}: is neither valid-*.json nor invalid-*.json`);
        continue;
      }
      kinds[kind] += 1;
      const good = validate(JSON.parse(read('examples', base, example)));
      check(good === (kind === 'valid'), `${where}: ${good ? 'passes and should not' : ajv.errorsText(validate.errors)}`);
    }
    const valid_min = base.endsWith('.list') ? 1 : 2;
    check(kinds.valid >= valid_min && kinds.invalid >= 3, `${base}: has ${kinds.valid} valid and ${kinds.invalid} invalid examples`);
  }
  for (const rest of folders) check(false, `examples/${rest}: has no schema`);
}

// Topics named in docs/topics.md, without the root and with every parameter written as {}.
function documented_topics() {
  const topics = new Set();
  const section = { 'Device to services': 'device/{}/up/', 'Services to device': 'device/{}/down/', 'To many devices': '', 'To a service': '', State: '', Events: '' };
  let prefix;
  for (const line of read('..', 'docs', 'topics.md').split('\n')) {
    const heading = /^## ([^:,]*)/.exec(line);
    if (heading) prefix = section[heading[1]];
    if (prefix === undefined) continue;
    const cell = prefix === section.Events && line.startsWith('`event/') ? line.split(':')[0] : /^\| *(`[^|]*) \|/.exec(line)?.[1];
    let previous = '';
    for (const [, name] of (cell ?? '').matchAll(/`([^`]+)`/g)) {
      // "…/list/{from}" stands for the topic before it with other last levels.
      const full = name.startsWith('…/') ? previous.split('/').slice(0, -2).join('/') + name.slice(1) : name;
      previous = full;
      topics.add(prefix + full.replace(/\{[^}]*\}/g, '{}'));
    }
  }
  return topics;
}

async function check_asyncapi() {
  const { document, diagnostics } = await new Parser().parse(read('asyncapi.yaml'), { source: join(here, 'asyncapi.yaml') });
  const errors = diagnostics.filter((entry) => entry.severity === 0);
  for (const entry of errors) console.error(`asyncapi.yaml:${entry.range.start.line + 1}: ${entry.path.join('/')}: ${entry.message}`);
  check(document !== undefined && errors.length === 0, `asyncapi.yaml: ${errors.length} errors`);
  if (!document) return;

  const described = new Set(document.channels().all().map((channel) => channel.address().replace('fieldwork/v1/', '').replace(/\{[^}]*\}/g, '{}')));
  const documented = documented_topics();
  check(documented.size >= 40, `docs/topics.md: only ${documented.size} topics found, the reader of its tables needs a look`);
  for (const topic of documented) check(described.has(topic), `asyncapi.yaml: ${topic} of docs/topics.md is not there`);
  for (const topic of described) check(documented.has(topic), `docs/topics.md: ${topic} of asyncapi.yaml is not there`);

  const named = new Set([...read('asyncapi.yaml').matchAll(/\$ref: \.\/(\S+)/g)].map((match) => match[1]));
  for (const name of named) check(existsSync(join(here, name)), `asyncapi.yaml: ${name} is not there`);
  for (const name of files) {
    if (name !== common && name !== 'job.schema.json') check(named.has(name), `asyncapi.yaml: no message uses ${name}`);
  }
}

check_rules();
check_examples();
await check_asyncapi();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
