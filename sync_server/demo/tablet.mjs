// A house of tablets: real PouchDB databases in one Node process, driven by lines of JSON.
//
//     node tablet.mjs <folder that holds node_modules>
//
// A line on stdin is a command, {"id": 1, "do": "put", "tablet": "a", …}; the answer is a line on
// stdout, {"id": 1, "ok": …} or {"id": 1, "error": {"name", "message", "status"}}. Commands run
// side by side, so answers may come out of order. stdin closing ends the process.

import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

const require = createRequire(resolve(process.argv[2] ?? '.', 'package.json'));

const packages = {
  9: { pouch: 'pouchdb', memory: 'pouchdb-adapter-memory' },
  7: { pouch: 'pouchdb7', memory: 'pouchdb7-adapter-memory' },
};
const loaded = new Map();

/** The constructor of one major release, with the adapter that keeps everything in memory. */
function pouch(release) {
  if (!loaded.has(release)) {
    const names = packages[release];
    const PouchDB = require(names.pouch);
    PouchDB.plugin(require(names.memory));
    loaded.set(release, PouchDB);
  }
  return loaded.get(release);
}

class Tablet {
  constructor({ name, release = 9, path = null }) {
    this.PouchDB = pouch(release);
    this.db = path ? new this.PouchDB(path) : new this.PouchDB(name, { adapter: 'memory' });
    this.requests = [];
    this.live = null;
  }

  /** A database of a server; every request that it makes is noted in `requests`. */
  remote({ url, account, password, token }) {
    const fetch = async (address, options = {}) => {
      const { pathname, search } = new URL(address);
      const entry = { method: options.method ?? 'GET', path: pathname + search, status: null };
      this.requests.push(entry);
      if (token) options.headers.set('Authorization', `Bearer ${token}`);
      try {
        const response = await this.PouchDB.fetch(address, options);
        entry.status = response.status;
        return response;
      } catch (error) {
        entry.failure = error.message;
        throw error;
      }
    };
    const auth = account === undefined ? undefined : { username: account, password };
    return new this.PouchDB(url, { fetch, auth });
  }
}

/** A live replication and what it has told so far. */
class Live {
  constructor(replication) {
    this.replication = replication;
    this.seen = { state: 'active', pulled: 0, pushed: 0, pauses: 0, denied: 0, error: null };
    this.finished = new Promise((finish) => {
      replication
        .on('change', (change) => this.note(change))
        .on('active', () => (this.seen.state = 'active'))
        .on('paused', (error) => this.pause(error))
        .on('denied', () => (this.seen.denied += 1))
        .on('complete', () => this.end('complete', null, finish))
        .on('error', (error) => this.end('failed', plainError(error), finish));
    });
    replication.catch(() => {}); // The error event has told it.
  }

  note({ direction, change, docs, docs_written }) {
    const count = change ? change.docs.length : (docs?.length ?? docs_written);
    if (direction === 'push') this.seen.pushed += count;
    else this.seen.pulled += count;
  }

  pause(error) {
    this.seen.state = error ? 'waiting' : 'paused';
    this.seen.pauses += 1;
    this.seen.error = error ? plainError(error) : null;
  }

  end(state, error, finish) {
    this.seen.state = state;
    this.seen.error = error;
    finish();
  }
}

const tablets = new Map();

function tabletOf({ tablet }) {
  const found = tablets.get(tablet);
  if (!found) throw new Error(`No tablet is called ${tablet}.`);
  return found;
}

function plainError(error) {
  const { name, message, reason, status, docId } = error ?? {};
  return { name: name ?? 'error', message: message ?? String(error), reason, status, docId };
}

function plainResult(result) {
  const { ok, docs_read, docs_written, doc_write_failures, errors, last_seq, status } = result;
  return {
    ok, docs_read, docs_written, doc_write_failures, last_seq, status,
    errors: (errors ?? []).map(plainError),
  };
}

const sha = (value) => createHash('sha256').update(value).digest('hex');

/** JSON with sorted members, so that equal bodies have equal text. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.keys(value).sort();
  return `{${members.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`;
}

/** What a leaf says, without the book-keeping that differs from place to place. */
function leafOf(doc) {
  const { _id, _rev, _revisions, _attachments = {}, _deleted = false, ...body } = doc;
  const attachments = {};
  for (const [name, { digest, content_type, length }] of Object.entries(_attachments)) {
    attachments[name] = { digest, content_type, length };
  }
  return { deleted: _deleted, body: sha(canonical(body)), attachments };
}

/** Every document with its winner and all of its leaves: what two places must agree on. */
async function stateOf(db) {
  const { results } = await db.changes({ since: 0, style: 'all_docs', include_docs: true });
  const state = {};
  for (const { id, changes, doc } of results) {
    if (id.startsWith('_')) continue;
    const leaves = {};
    for (const opened of await db.get(id, { open_revs: changes.map(({ rev }) => rev) })) {
      if (opened.ok) leaves[opened.ok._rev] = leafOf(opened.ok);
      else leaves[opened.missing] = 'missing';
    }
    state[id] = { winner: doc._rev, leaves };
  }
  return state;
}

/** The winning revision as the next edit needs it, or only the id for a new document. */
async function currentOf(db, id) {
  try {
    return await db.get(id);
  } catch (error) {
    if (error.status === 404) return { _id: id };
    throw error;
  }
}

function replicate(db, command, live) {
  const { direction = 'sync', remote, options = {} } = command;
  const target = tabletOf(command).remote(remote);
  const all = live ? { ...options, live: true } : options;
  if (direction === 'push') return db.replicate.to(target, all);
  if (direction === 'pull') return db.replicate.from(target, all);
  return db.sync(target, all);
}

const content = ({ type, data }) => ({ content_type: type, data: Buffer.from(data, 'base64') });

const commands = {
  async open(command) {
    tablets.set(command.tablet, new Tablet({ ...command, name: command.tablet }));
    return tabletOf(command).db.info();
  },

  async close(command) {
    await tabletOf(command).db.close();
    tablets.delete(command.tablet);
  },

  async destroy(command) {
    await tabletOf(command).db.destroy();
    tablets.delete(command.tablet);
  },

  put: (command) => tabletOf(command).db.put(command.doc),

  /** Change members of a document, new or not, as a form does that was just saved. */
  async edit(command) {
    const { db } = tabletOf(command);
    return db.put({ ...(await currentOf(db, command.doc_id)), ...command.changes });
  },

  async remove(command) {
    const { db } = tabletOf(command);
    const rev = command.rev ?? (await db.get(command.doc_id))._rev;
    return db.remove(command.doc_id, rev);
  },

  bulk: (command) => tabletOf(command).db.bulkDocs(command.docs, command.options ?? {}),

  async attach(command) {
    const { db } = tabletOf(command);
    const { doc_id, attachments } = command;
    const doc = await currentOf(db, doc_id);
    doc._attachments = { ...doc._attachments };
    for (const [name, given] of Object.entries(attachments)) {
      doc._attachments[name] = content(given);
    }
    return db.put(doc);
  },

  async detach(command) {
    const { db } = tabletOf(command);
    const doc = await db.get(command.doc_id);
    delete doc._attachments[command.attachment];
    return db.put(doc);
  },

  async attachment(command) {
    const data = await tabletOf(command).db.getAttachment(command.doc_id, command.attachment);
    return data.toString('base64');
  },

  get: (command) => tabletOf(command).db.get(command.doc_id, command.options ?? {}),
  all_docs: (command) => tabletOf(command).db.allDocs(command.options ?? {}),
  info: (command) => tabletOf(command).db.info(),
  compact: (command) => tabletOf(command).db.compact(),
  state: (command) => stateOf(tabletOf(command).db),
  remote_state: (command) => stateOf(tabletOf(command).remote(command.remote)),

  /** A method of PouchDB on the server's database itself, nothing in between. */
  async remote_call(command) {
    const db = tabletOf(command).remote(command.remote);
    const result = await db[command.method](...command.arguments);
    return Buffer.isBuffer(result) ? result.toString('base64') : result;
  },

  async replicate(command) {
    const result = await replicate(tabletOf(command).db, command, false);
    if (!result.push && !result.pull) return plainResult(result);
    return { push: plainResult(result.push), pull: plainResult(result.pull) };
  },

  /** Between two servers; the tablet only drives it and keeps nothing. */
  async replicate_between(command) {
    const tablet = tabletOf(command);
    const { source, target, options = {} } = command;
    const [from, to] = [tablet.remote(source), tablet.remote(target)];
    return plainResult(await tablet.PouchDB.replicate(from, to, options));
  },

  async live_start(command) {
    const tablet = tabletOf(command);
    tablet.live = new Live(replicate(tablet.db, command, true));
  },

  live_status: async (command) => tabletOf(command).live.seen,

  async live_stop(command) {
    const { live } = tabletOf(command);
    live.replication.cancel();
    await live.finished;
    return live.seen;
  },

  /** The requests made since the last time this was asked. */
  requests: async (command) => tabletOf(command).requests.splice(0),
};

async function answer(line) {
  const command = JSON.parse(line);
  try {
    const run = commands[command.do];
    if (!run) throw new Error(`There is no command ${command.do}.`);
    return { id: command.id, ok: (await run(command)) ?? null };
  } catch (error) {
    return { id: command.id, error: plainError(error) };
  }
}

// When a connection breaks, PouchDB tells whoever waits for the replication, and besides leaves
// promises of its own without a handler: a browser logs that, Node would end the process.
process.on('unhandledRejection', ({ message }) => console.error(`Left unhandled: ${message}`));

createInterface({ input: process.stdin }).on('line', async (line) => {
  process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
}).on('close', () => process.exit(0));
