import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { codeOf, EXIT, Failure } from '../../system/failure.ts';
import { StreamFile } from '../../system/stream-file.ts';
import { shellWord } from '../../system/text.ts';
import { adviserOf } from '../advice.ts';
import type { Context } from '../context.ts';
import { type Call, withGateway } from '../reach.ts';
import { numberOf, recordOf, recordsOf, textOf } from '../value.ts';
import { CUT, RunEnds } from './sessions-end.ts';
import { linesOf, type Row, writerOf } from './sessions-export-text.ts';

/** Rows of one page; fewer come where they are large. */
const PAGE = 200;

/** What a disk refuses while something is written there. */
const WRITES = ['open', 'write', 'fsync', 'link', 'rename', 'mkdir'];
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What the rows of a page are of. */
export interface Place {
  readonly key: string;
  readonly sessionId: string;
  readonly agentId: string;
  readonly droppedRows: number;
}

/**
 * `latchkey sessions export KEY [--id ID] [--format jsonl|markdown] [--out FILE [--force]] [--attachments DIR]`: page by page, so that
 * it takes as much memory for a long transcript as for a short one. A file stands there when it is whole, or not at all.
 */
export async function exportSession(
  context: Context,
  [key = 'main']: readonly string[],
  options: Row,
): Promise<number> {
  const out = textOf(options.out) === null ? null : resolve(String(options.out));
  const directory = textOf(options.attachments) === null ? null : resolve(String(options.attachments));
  const isForced = options.force === true;
  if (out !== null && !isForced && existsSync(out)) throw taken(context, out, key);
  const adviser = await adviserOf(context, key);
  const file = out === null ? null : opened(out, isForced);
  const sink = (text: string) => (file === null ? context.output.out(text) : file.write(text));
  const writer = writerOf(textOf(options.format) ?? 'jsonl', sink, adviser);
  const contents = directory === null ? null : new Contents(directory);
  let isStopped = false;
  const stop = () => {
    isStopped = true;
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  const isOver = () => isStopped || context.output.isUnread === true;
  const id = textOf(options.id);
  let done: { readonly place: Place; readonly rows: number };
  try {
    done = await withGateway(context, async (call) => {
      const told = await copied(call, key, { writer, contents, isOver, id });
      if (isStopped) throw stopped(context, key);
      writer.end(told.rows);
      return told;
    });
    file?.finish();
  } catch (error) {
    file?.discard();
    const code = WRITES.includes((error as { syscall?: string }).syscall ?? '') ? codeOf(error) : null;
    if (out !== null && code === 'EEXIST') throw taken(context, out, key);
    throw code === null ? error : unwritable((error as { path?: string }).path ?? out ?? directory ?? '', code, error);
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
  }
  const { place, rows } = done;
  if (file !== null && out !== null) {
    const { droppedRows, ...of } = place;
    const attachments = contents === null ? {} : { attachments: contents.written, missing: contents.missing };
    const document = { ok: true, file: out, rows, bytes: file.bytes, ...of, droppedRows, ...attachments };
    if (context.globals.json === true) context.output.out(`${JSON.stringify(document, null, 2)}\n`);
    else context.output.out(linesOf(document));
  } else if (context.globals.json === true) context.output.out(`${JSON.stringify({ done: true, rows })}\n`);
  return EXIT.ok;
}

interface To {
  readonly writer: ReturnType<typeof writerOf>;
  readonly contents: Contents | null;
  /** Nobody reads what is printed any more, or somebody ended it. */
  readonly isOver: () => boolean;
  /** Of an earlier conversation; `null`: the one that stands. */
  readonly id: string | null;
}

async function copied(call: Call, key: string, { writer, contents, isOver, id }: To) {
  let place: Place | null = null;
  let rows = 0;
  let from: number | null = 1;
  const ends = new RunEnds();
  const end = (told: Row | null) => (told === null ? undefined : writer.ended(told));
  while (from !== null && !isOver()) {
    const sessionId: string | null = place?.sessionId ?? id;
    const of = sessionId === null ? {} : { sessionId };
    const page = recordOf(await call('sessions.rows', { key, from, limit: PAGE, ...of }));
    if (place === null) {
      place = placeOf(page);
      writer.begin(place);
    }
    ends.learn(page.runEnds);
    for (const row of recordsOf(page.rows)) {
      end(ends.before(row.kind === 'command' ? null : textOf(row.run)));
      await contents?.take(call, place, row);
      writer.row(row);
      // Nothing comes behind it in its run.
      if (row.stop === CUT) end(ends.rest());
      rows += 1;
    }
    from = numberOf(page.next);
  }
  end(ends.rest());
  return { place: place as Place, rows };
}

function placeOf(page: Row): Place {
  return {
    key: textOf(page.key) ?? '',
    sessionId: textOf(page.sessionId) ?? '',
    agentId: textOf(page.agentId) ?? '',
    droppedRows: numberOf(page.droppedRows) ?? 0,
  };
}

/** What came with messages, each content once, under its SHA-256. */
class Contents {
  written = 0;
  missing = 0;
  readonly #directory: string;
  readonly #seen = new Set<string>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  async take(call: Call, { key, sessionId }: Place, row: Row): Promise<void> {
    for (const { sha256 } of recordsOf(row.attachments)) {
      // What a gateway names a file is not taken for a path.
      if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256) || this.#seen.has(sha256)) continue;
      this.#seen.add(sha256);
      const { content } = recordOf(await call('sessions.attachment', { key, sessionId, sha256 }));
      if (typeof content === 'string') this.#put(sha256, Buffer.from(content, 'base64'));
      else this.missing += 1;
    }
  }

  #put(sha256: string, bytes: Buffer): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const path = join(this.#directory, sha256);
    this.written += 1;
    // The same content: it is named by it.
    if (existsSync(path)) return;
    const file = new StreamFile(path, { replaces: false });
    try {
      file.write(bytes);
      file.finish();
    } catch (error) {
      file.discard();
      throw error;
    }
  }
}

function opened(out: string, replaces: boolean): StreamFile {
  try {
    return new StreamFile(out, { replaces });
  } catch (error) {
    throw unwritable(out, codeOf(error) ?? String(error), error);
  }
}

function taken({ command }: Context, out: string, key: string): Failure {
  return new Failure(EXIT.failed, {
    what: `${out} is there already`,
    why: 'a file is not replaced unless that is asked for',
    run: `${command} sessions export ${shellWord(key)} --out ${shellWord(out)} --force`,
  });
}

function stopped({ command }: Context, key: string): Failure {
  return new Failure(EXIT.failed, {
    what: 'the transcript is not whole',
    why: 'the command was told to end; a file that was to be written is not there',
    run: `${command} sessions export ${shellWord(key)}`,
  });
}

function unwritable(path: string, code: string, cause: unknown): Failure {
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  const isClosed = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
  return new Failure(
    isFull ? EXIT.later : isClosed ? EXIT.permission : EXIT.failed,
    {
      what: `can't write ${path}`,
      why: code,
      run: isFull ? `df -h ${shellWord(join(path, '..'))}` : `ls -ld ${shellWord(join(path, '..'))}`,
    },
    { cause },
  );
}
