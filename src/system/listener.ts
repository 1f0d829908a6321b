import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Who listens at a port. */
export interface Occupant {
  readonly pid: number;
  /** Its name, as `ps` shows it. */
  readonly program: string;
}

/**
 * Looks for who listens at `port`: the socket's inode in /proc/net/tcp and tcp6, then the process that holds it open.
 * Best effort, Linux only: other users' processes can be looked into by root alone.
 */
export function portOccupant(port: number, proc = '/proc'): Occupant | null {
  const inodes = new Set([...listenersIn(`${proc}/net/tcp`, port), ...listenersIn(`${proc}/net/tcp6`, port)]);
  if (inodes.size === 0) return null;
  for (const entry of quietly(() => readdirSync(proc)) ?? []) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || !holdsOneOf(`${proc}/${entry}/fd`, inodes)) continue;
    return { pid, program: programOf(`${proc}/${entry}`) };
  }
  return null;
}

/**
 * Whether somebody listens at the port of this host, and all who do are this user or root: whoever else may run programs
 * here can be first at a port. Linux only: elsewhere nobody can tell, and it is `false`.
 */
export function isOursAt(port: number, { proc = '/proc', uid = process.getuid?.() ?? null } = {}): boolean {
  const uids = [...rowsIn(`${proc}/net/tcp`, port), ...rowsIn(`${proc}/net/tcp6`, port)].map((row) => row.uid);
  return uid !== null && uids.length > 0 && uids.every((one) => one === uid || one === 0);
}

/** Whether anybody on this host listens at the port, whoever it is. Linux only: elsewhere nobody is seen. */
export function isListenedAt(port: number, proc = '/proc'): boolean {
  return [...listenersIn(`${proc}/net/tcp`, port), ...listenersIn(`${proc}/net/tcp6`, port)].length > 0;
}

function listenersIn(table: string, port: number): readonly string[] {
  return rowsIn(table, port).map(({ inode }) => inode);
}

/** Inodes of sockets that listen (state 0A) at the port, each with whose it is. */
function rowsIn(table: string, port: number): readonly { readonly inode: string; readonly uid: number }[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const lines = (quietly(() => readFileSync(table, 'utf8')) ?? '').split('\n').slice(1);
  return lines.flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [, local = '', , state] = fields;
    const [uid, , inode] = fields.slice(7);
    const isOne = state === '0A' && local.endsWith(`:${hex}`) && inode !== undefined;
    return isOne ? [{ inode, uid: Number(uid) }] : [];
  });
}

function holdsOneOf(folder: string, inodes: ReadonlySet<string>): boolean {
  return (quietly(() => readdirSync(folder)) ?? []).some((fd) => {
    const target = quietly(() => readlinkSync(`${folder}/${fd}`)) ?? '';
    return inodes.has(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? '');
  });
}

/** The command's first words where they say more than the name does: `node /usr/bin/openclaw`. */
function programOf(folder: string): string {
  const comm = quietly(() => readFileSync(`${folder}/comm`, 'utf8').trim()) ?? 'a program';
  // What Node calls its first thread.
  const name = comm === 'MainThread' ? 'node' : comm;
  const words = (quietly(() => readFileSync(`${folder}/cmdline`, 'utf8')) ?? '').split('\0');
  const script = /^node/.test(name) ? words.slice(1).find((word) => word !== '' && !word.startsWith('-')) : undefined;
  const said = script === undefined ? name : `${name} ${script}`;
  return said.replace(/\p{C}/gu, '?').slice(0, 120);
}

function quietly<T>(look: () => T): T | null {
  try {
    return look();
  } catch {
    // Gone meanwhile, or not ours to look at.
    return null;
  }
}
